import type { Dispatcher, ProxyAgent } from 'undici';
import connectThrough from 'undici/lib/api/api-connect.js';
import buildConnector from 'undici/lib/core/connect.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Client from 'undici/lib/dispatcher/client.js';
import DispatcherBase from 'undici/lib/dispatcher/dispatcher.js';
import Proxying from 'undici/lib/dispatcher/proxy-agent.js';

import { leaveWasmUnoptimised } from '../base/engine-flags.js';

/*
 * The few parts of undici that berth uses, file by file. Its index brings in its fetch, caches, mocks and websockets as well, and
 * through them the second undici that is in Node: 60 ms and 17 MB of each command that speaks to a registry.
 */

leaveWasmUnoptimised();

/** Connections to any number of hosts. */
export { Agent as AgentOfUndici };

/** A connection to one host. */
export { Client as ClientOfUndici };

/** What makes its connections. */
export { buildConnector as buildConnectorOfUndici };

/** What its failures are instances of. */
export { errors as errorsOfUndici };

/** A dispatcher that goes through a proxy. */
export function createProxyAgent(options: ProxyAgent.Options): ProxyAgent {
  // It opens its tunnels with the method that undici's index puts on all dispatchers.
  Object.assign(DispatcherBase.prototype, { connect: connectThrough });
  return new Proxying(options);
}

export type { Dispatcher };
