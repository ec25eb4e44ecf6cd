import { createRequire } from 'node:module';

import type { Agent, buildConnector, Client, Dispatcher, errors, ProxyAgent } from 'undici';

import { leaveWasmUnoptimised } from '../base/engine-flags.js';

/*
 * The few parts of undici that berth uses, file by file. Its index brings in its fetch, caches, mocks and websockets as well, and
 * through them the second undici that is in Node: 60 ms and 17 MB of each command that speaks to a registry.
 */

leaveWasmUnoptimised();

const load = createRequire(import.meta.url) as (path: string) => unknown;

/** Connections to any number of hosts. */
export const AgentOfUndici = load('undici/lib/dispatcher/agent.js') as typeof Agent;

/** A connection to one host. */
export const ClientOfUndici = load('undici/lib/dispatcher/client.js') as typeof Client;

/** What makes its connections. */
export const buildConnectorOfUndici = load('undici/lib/core/connect.js') as typeof buildConnector;

/** What its failures are instances of. */
export const errorsOfUndici = load('undici/lib/core/errors.js') as typeof errors;

/** A dispatcher that goes through a proxy; its code is loaded where there is one. */
export function createProxyAgent(options: ProxyAgent.Options): ProxyAgent {
  const Proxying = load('undici/lib/dispatcher/proxy-agent.js') as typeof ProxyAgent;
  // It opens its tunnels with the method that undici's index puts on all dispatchers.
  const Base = load('undici/lib/dispatcher/dispatcher.js') as { readonly prototype: object };
  Object.assign(Base.prototype, { connect: load('undici/lib/api/api-connect.js') });
  return new Proxying(options);
}

export type { Dispatcher };
