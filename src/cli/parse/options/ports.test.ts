import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePort, parsePorts } from './ports.ts';
import { assertRefused } from './testing.ts';

/** hostIp hostPort containerPort range protocol */
const shown = (text: string): string => {
  const { hostIp, hostPort, containerPort, range, protocol } = parsePort(text);
  return [hostIp, hostPort, containerPort, range, protocol].join(' ');
};

test('ports are read in all forms of --publish', () => {
  const forms: Readonly<Record<string, string>> = {
    '8080:80': ' 8080 80 1 tcp',
    '80': ' 0 80 1 tcp',
    ':80': ' 0 80 1 tcp',
    '0:80': ' 0 80 1 tcp',
    '127.0.0.1:8080:80/udp': '127.0.0.1 8080 80 1 udp',
    '127.0.0.1::80': '127.0.0.1 0 80 1 tcp',
    '8000-8010:9000-9010': ' 8000 9000 11 tcp',
    '8000-8010': ' 0 8000 11 tcp',
    '[::1]:8080:80/SCTP': '::1 8080 80 1 sctp',
    '[::1]::80': '::1 0 80 1 tcp',
  };
  for (const [text, expected] of Object.entries(forms)) assert.equal(shown(text), expected, text);
});

test('wrong ports are refused with the words of podman', () => {
  const refusals: Readonly<Record<string, string>> = {
    '': 'must provide a non-empty container port to publish',
    '80:': 'must provide a non-empty container port to publish',
    '80/': 'must provide a non-empty protocol to publish',
    '80/tcp/udp': 'invalid port format - protocol can only be specified once',
    '80/quic': 'unrecognized protocol "quic" in port mapping',
    abc: 'parsing container port: invalid port number: strconv.Atoi: parsing "abc": invalid syntax',
    '70000': 'parsing container port: port numbers must be between 1 and 65535 (inclusive), got 70000',
    '-80': 'parsing container port: port numbers cannot be negative',
    '80-': 'parsing container port: must provide ending number for port range',
    '80-79':
      'parsing container port: the end port of a range must be higher than the start port - 79 is not higher than 80',
    '1-2-3': 'parsing container port: invalid port format - port ranges are formatted as startPort-stopPort',
    '80-82:80-81': 'host and container port ranges have different lengths: 3 vs 2',
    '1.2.3.4.5:1:2': 'cannot parse "1.2.3.4.5" as an IP address',
    ':1:2': 'must provide a non-empty container host IP to publish',
    'a:80': 'parsing host port: invalid port number: strconv.Atoi: parsing "a": invalid syntax',
    '1:2:3:4': 'invalid port format - format is [[hostIP:]hostPort:]containerPort',
    '::1]:80:80': 'invalid port format - IPv6 addresses must be enclosed by []',
    '[::1]80': "invalid port format - IPv6 address must be followed by a colon (':')",
    '[::1]:80': 'invalid port format - must provide host and destination port if specifying an IP',
    '[::1]:1:2:3': 'invalid port format - when v6 address specified, must be [ipv6]:hostPort:ctrPort',
    '[::1]:[::2]:1:2': 'invalid port format - at most one IPv6 address can be specified in a --publish',
  };
  for (const [text, message] of Object.entries(refusals)) assertRefused(() => parsePort(text), message);
});

test('one host port is published once', () => {
  assert.equal(parsePorts(['80:80', '80:80', '80:80/udp', '81:80', '80', '80']).length, 4);
  assertRefused(
    () => parsePorts(['80:80', '80:81']),
    'conflicting port mappings for host port 80 (protocol tcp)',
  );
  assertRefused(() => parsePorts(['80-90:80-90', '127.0.0.1:85:1']), /host port 85/);
  assert.equal(parsePorts(['127.0.0.1:80:80', '127.0.0.2:80:80']).length, 2);
});
