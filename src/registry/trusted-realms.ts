/**
 * Reads `trusted-realm-hosts` of berth.conf, a list of `REGISTRY=HOST` of the right form: the hosts by registry. A registry is named as in
 * references (`docker.io`, `registry.example:5000`).
 */
export function readTrustedRealms(
  entries: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, readonly string[]>();
  for (const entry of entries) {
    const [registry = '', host = ''] = entry.toLowerCase().split('=');
    hosts.set(registry, [...(hosts.get(registry) ?? []), host]);
  }
  return hosts;
}
