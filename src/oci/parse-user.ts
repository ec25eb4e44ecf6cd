import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A user or group as an image names it. */
export type AccountName =
  { readonly kind: 'id'; readonly id: number } | { readonly kind: 'name'; readonly name: string };

/** The `User` of an image, taken apart. */
export interface ImageUser {
  readonly user: AccountName;
  /** Undefined: the user's own groups. */
  readonly group: AccountName | undefined;
}

/** Largest id: what a signed 32-bit number holds, as the engines have it since CVE-2024-40635. */
const MAX_ID = 2 ** 31 - 1;

/** useradd's limit is 32; LDAP names are longer. A line of passwd must stay a line. */
const ACCOUNT_NAME = /^[A-Za-z_][A-Za-z0-9_.@-]{0,255}\$?$/;

/**
 * Parses `User` of an image configuration: `USER[:GROUP]`, each a name or a number; empty means root.
 *
 * What looks like a number is a number or an error, never the name of a user: `4294967296` looked up in the image's own
 * passwd would let the image say which uid it is (CVE-2024-40635, CVE-2016-3697).
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID
 */
export function parseImageUser(text: string): ImageUser {
  if (text === '') return { user: { kind: 'id', id: 0 }, group: undefined };
  const parts = text.split(':');
  const [user = '', group] = parts;
  if (parts.length > 2) fail(text, "it has more than one ':'");
  return {
    user: parseAccount(text, user),
    group: group === undefined ? undefined : parseAccount(text, group),
  };
}

function parseAccount(text: string, account: string): AccountName {
  if (/^\d+$/.test(account)) {
    const id = Number(account);
    if (id > MAX_ID) fail(text, `${account} is larger than ${MAX_ID}`);
    return { kind: 'id', id };
  }
  if (!ACCOUNT_NAME.test(account)) fail(text, `${quote(account)} is neither a number nor a name`);
  return { kind: 'name', name: account };
}

function fail(text: string, why: string): never {
  throw new OperationalError(
    'IMAGE_CONFIG_INVALID',
    `the user ${quote(text)} of the image: ${why}`,
  );
}
