import { BlockList, isIP } from 'node:net';

import { OperationalError } from '../errors/operational-error.js';
import { findReach } from './address-reach.js';

/** Gives the proxy for a URL, or undefined for none. */
export type FindProxy = (url: URL) => URL | undefined;

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY (or in lower case, which win) the way the ecosystem's Go programs do: NO_PROXY is a
 * list of hosts, of `.domain` or `domain` for all below, of addresses and of networks, each with `:PORT` or without; `*` means
 * no proxy at all. This host itself is never reached through a proxy.
 *
 * @throws {@link OperationalError} CONFIG_INVALID for a proxy that is no URL; the URL is not quoted, it may hold a password
 */
export function createProxyFinder(env: Readonly<Record<string, string | undefined>>): FindProxy {
  const read = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? '';
  const proxies = {
    'http:': parseProxy('HTTP_PROXY', read('HTTP_PROXY')),
    'https:': parseProxy('HTTPS_PROXY', read('HTTPS_PROXY')),
  };
  const exceptions = read('NO_PROXY')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => entry.toLowerCase());
  return (url) => {
    const proxy = url.protocol === 'https:' ? proxies['https:'] : proxies['http:'];
    if (proxy === undefined || findReach(url.hostname) === 'loopback') return undefined;
    return exceptions.some((entry) => isException(entry, url)) ? undefined : proxy;
  };
}

function parseProxy(name: string, text: string): URL | undefined {
  if (text === '') return undefined;
  let proxy: URL;
  try {
    proxy = new URL(/^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    throw new OperationalError('CONFIG_INVALID', `${name} is not a URL`);
  }
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    throw new OperationalError(
      'CONFIG_INVALID',
      `${name} names a proxy of the kind '${proxy.protocol}', which berth does not speak`,
    );
  }
  return proxy;
}

function isException(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return isInNetwork(host, network[1] ?? '', Number(network[2]));
  // Two spellings of one address are the same.
  if (isIP(entry) !== 0) return isInNetwork(host, entry, isIP(entry) === 4 ? 32 : 128);
  const [, name = '', entryPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(name) !== 0) return isInNetwork(host, name, isIP(name) === 4 ? 32 : 128);
  const domain = name.replace(/^\*?\./, '');
  return (name === domain && host === domain) || host.endsWith(`.${domain}`);
}

function isInNetwork(host: string, network: string, bits: number): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, bits, type);
  return list.check(host, type);
}
