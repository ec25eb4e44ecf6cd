import { BlockList, isIP } from 'node:net';

/**
 * How far inside an address is, from the public network to this host. A registry must not use berth to reach what it
 * could not reach itself (cloud metadata at 169.254.169.254, services on loopback): what it redirects to, or names as token
 * server, may be no farther inside than the registry itself (CVE-2026-33990).
 */
export const ADDRESS_REACHES = ['public', 'private', 'loopback', 'link-local'] as const;

/** One of {@link ADDRESS_REACHES}, outermost first. */
export type AddressReach = (typeof ADDRESS_REACHES)[number];

/** The reach of an IP address (`[::1]` or `::1`), or undefined for a name. `localhost` is loopback by RFC 6761. */
export function findReach(host: string): AddressReach | undefined {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return 'loopback';
  const family = isIP(bare);
  if (family === 0) return undefined;
  // An IPv4 address in IPv6 clothing is that IPv4 address: BlockList knows ::ffff:0:0/96, NAT64 is spelled out.
  const type = family === 6 ? 'ipv6' : 'ipv4';
  for (const [reach, list] of LISTS) if (list.check(bare, type)) return reach;
  return 'public';
}

/** Whether a host given by address may be reached; names are checked once they are resolved. */
export function isAddressAllowed(host: string, limit: AddressReach): boolean {
  const reach = findReach(host);
  return reach === undefined || ADDRESS_REACHES.indexOf(reach) <= ADDRESS_REACHES.indexOf(limit);
}

/** The farther inside of two. */
export function innerReach(a: AddressReach, b: AddressReach): AddressReach {
  return ADDRESS_REACHES.indexOf(a) >= ADDRESS_REACHES.indexOf(b) ? a : b;
}

const LISTS: readonly (readonly [AddressReach, BlockList])[] = [
  // Multicast, broadcast and "this network" have no business in a URL: refused as the innermost.
  [
    'link-local',
    list(
      ['169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4', '192.0.0.0/24'],
      ['fe80::/10', 'ff00::/8', '64:ff9b::a9fe:0/112'],
    ),
  ],
  ['loopback', list(['127.0.0.0/8', '0.0.0.0/8'], ['::1/128', '::/128', '64:ff9b::7f00:0/104'])],
  [
    'private',
    list(
      ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'],
      ['fc00::/7', '64:ff9b:1::/48'],
    ),
  ],
];

function list(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const subnet of ipv4) blocks.addSubnet(...split(subnet), 'ipv4');
  for (const subnet of ipv6) blocks.addSubnet(...split(subnet), 'ipv6');
  return blocks;
}

function split(subnet: string): [string, number] {
  const [network = '', bits = ''] = subnet.split('/');
  return [network, Number(bits)];
}
