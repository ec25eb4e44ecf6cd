import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { findScopeFault, normaliseScope, parsePolicy } from './parse-policy.js';

/** A part of a policy: a transport and a scope in it, the empty one for the transport's default. */
export interface PolicyScope {
  readonly transport: string;
  readonly scope: string;
}

/** Where nothing is: what berth does then, in words. */
const EMPTY = '{"default":[{"type":"insecureAcceptAnything"}]}';

/**
 * The text of a policy with other requirements for one scope.
 *
 * @param text The policy as it is; undefined where there is none
 * @throws OperationalError CONFIG_INVALID if it is not understood as it is: what it says beside would be lost; USAGE for a scope that
 * no image can lie in
 */
export function setRequirements(
  text: Buffer | undefined,
  { transport, scope }: PolicyScope,
  change: { readonly requirements: readonly JsonObject[]; readonly file: string },
): string {
  const fault = scope === '' ? undefined : findScopeFault(transport, scope);
  if (fault !== undefined || /["\\\s\p{C}]/u.test(scope))
    throw new OperationalError('USAGE', `${quote(scope)} ${fault ?? 'is not a scope'}`);
  const { policy, transports } = read(text, change.file);
  const scopes = (transports[transport] ?? {}) as JsonObject;
  const kept = Object.entries(scopes).filter(([key]) => !isSame(transport, key, scope));
  return write(
    {
      ...policy,
      transports: {
        ...transports,
        [transport]: { ...Object.fromEntries(kept), [scope]: change.requirements },
      },
    },
    change.file,
  );
}

/**
 * The text of a policy without what it says of a scope: images there fall to a wider one.
 *
 * @throws OperationalError CONFIG_INVALID, USAGE if it says nothing of it
 */
export function removeRequirements(
  text: Buffer | undefined,
  { transport, scope }: PolicyScope,
  file: string,
): string {
  const { policy, transports } = read(text, file);
  const scopes = (transports[transport] ?? {}) as JsonObject;
  const kept = Object.entries(scopes).filter(([key]) => !isSame(transport, key, scope));
  if (kept.length === Object.keys(scopes).length) {
    throw new OperationalError(
      'USAGE',
      `the policy ${quote(file)} says nothing of ${quote(`${transport}:${scope}`)}`,
      { hint: "'berth trust show' lists what it speaks of" },
    );
  }
  const rest = Object.entries(transports).flatMap(([name, value]) =>
    name !== transport
      ? [[name, value] as const]
      : kept.length === 0
        ? []
        : [[name, Object.fromEntries(kept)] as const],
  );
  return write({ ...policy, transports: Object.fromEntries(rest) }, file);
}

/**
 * The text of a policy with another default.
 *
 * @throws OperationalError CONFIG_INVALID
 */
export function setDefault(
  text: Buffer | undefined,
  type: 'insecureAcceptAnything' | 'reject',
  file: string,
): string {
  return write({ ...read(text, file).policy, default: [{ type }] }, file);
}

function read(
  text: Buffer | undefined,
  file: string,
): { readonly policy: JsonObject; readonly transports: JsonObject } {
  const bytes = text ?? Buffer.from(EMPTY);
  parsePolicy(bytes, file);
  const policy = parseStrictJson(bytes, { what: file }) as JsonObject;
  return { policy, transports: (policy['transports'] ?? {}) as JsonObject };
}

/** What is written has to be what is read. */
function write(policy: Readonly<Record<string, JsonValue | undefined>>, file: string): string {
  const text = `${JSON.stringify(policy, null, 4)}\n`;
  parsePolicy(Buffer.from(text), file);
  return text;
}

function isSame(transport: string, key: string, scope: string): boolean {
  return normaliseScope(transport, key) === normaliseScope(transport, scope);
}
