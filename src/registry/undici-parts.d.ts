/* The files of undici that `undici.ts` imports one by one; undici describes its index only. */

declare module 'undici/lib/dispatcher/agent.js' {
  import type { Agent } from 'undici';
  const part: typeof Agent;
  export default part;
}

declare module 'undici/lib/dispatcher/client.js' {
  import type { Client } from 'undici';
  const part: typeof Client;
  export default part;
}

declare module 'undici/lib/dispatcher/proxy-agent.js' {
  import type { ProxyAgent } from 'undici';
  const part: typeof ProxyAgent;
  export default part;
}

declare module 'undici/lib/dispatcher/dispatcher.js' {
  const part: { readonly prototype: object };
  export default part;
}

declare module 'undici/lib/core/connect.js' {
  import type { buildConnector } from 'undici';
  const part: typeof buildConnector;
  export default part;
}

declare module 'undici/lib/core/errors.js' {
  import type { errors } from 'undici';
  const part: typeof errors;
  export default part;
}

declare module 'undici/lib/api/api-connect.js' {
  const part: (...args: readonly unknown[]) => unknown;
  export default part;
}
