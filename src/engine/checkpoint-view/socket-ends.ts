import type { OpenSocket } from '../../criu/view/sockets.ts';

/** A socket's kind and ends as text: `10.88.0.5:80`, `[::1]:80`, or the name of a unix socket; `-` for none. */
export function renderEnds(socket: OpenSocket): {
  readonly protocol: string;
  readonly local: string;
  readonly peer: string;
} {
  const { family, protocol } = socket;
  const end = (address: string, port: number): string => {
    if (!family.startsWith('INET')) return address || '-';
    if (port === 0 && /^[0.:]*$/.test(address)) return '-';
    return family === 'INET6' ? `[${address}]:${port}` : `${address}:${port}`;
  };
  const suffix = family === 'INET6' ? '6' : '';
  return {
    protocol: family.startsWith('INET') ? `${protocol}${suffix}` : `${family} ${protocol}`,
    local: end(socket.source, socket.sourcePort),
    peer: end(socket.peer, socket.peerPort),
  };
}
