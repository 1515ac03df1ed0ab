/** Written by engines for themselves; cryopod writes its own. */
const ENGINES_OWN =
  /^(?:io\.container\.manager|io\.podman\.annotations\..*|io\.kubernetes\.cri-o\..*|org\.opencontainers\.image\.stopSignal|org\.systemd\.property\.(?:KillSignal|TimeoutStopUSec))$/;
/** They tell the runtime, CRIU or systemd what to do on the host: run programs, load modules, change limits. */
const STEERING = /^(?:run\.oci\.|io\.crun|org\.criu\.|org\.systemd\.property\.|krun\.|module\.wasm)/;

/** Annotations of the user's that may be taken over, and the names of those that are left out because they steer programs. */
export function splitAnnotations(annotations: Readonly<Record<string, string>>): {
  readonly kept: Readonly<Record<string, string>>;
  readonly steering: readonly string[];
} {
  const users = Object.entries(annotations).filter(([key]) => !ENGINES_OWN.test(key));
  return {
    kept: Object.fromEntries(users.filter(([key]) => !STEERING.test(key))),
    steering: users.map(([key]) => key).filter((key) => STEERING.test(key)),
  };
}
