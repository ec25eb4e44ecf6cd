import { InvalidArgumentError, Option } from 'commander';

import { parseByteRate } from '../config/conf-kinds.js';
import type { Credentials } from '../registry/credentials.js';

/** How registries are spoken to, as far as the command line says. */
export interface RegistryOptionValues {
  readonly creds?: Credentials;
  readonly authfile?: string;
  readonly certDir?: string;
  readonly tlsVerify?: boolean;
  /** Bytes a second. */
  readonly maxRate?: number;
}

/** The options of every command that speaks to registries. */
export function registryOptions(): Option[] {
  return [
    credsOption('--creds <user:password>', 'the account at the registry of the image'),
    new Option('--authfile <file>', 'the file of accounts, in place of the usual ones'),
    new Option('--cert-dir <dir>', 'a folder with the certificates for the registry'),
    tlsVerifyOption('--tls-verify <bool>', 'whether the registry has to prove who it is'),
    maxRateOption(),
  ];
}

/** An option that takes `USER:PASSWORD`. */
export function credsOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text): Credentials => {
    const colon = text.indexOf(':');
    // The text is not shown: it may be the password.
    if (colon < 1) throw new InvalidArgumentError('It is not USER:PASSWORD.');
    return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1) };
  });
}

/** An option that takes `true` or `false`. */
export function tlsVerifyOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text): boolean => {
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    throw new InvalidArgumentError('It is neither true nor false.');
  });
}

/** Bytes a second, with the suffixes of curl. */
export function maxRateOption(): Option {
  return new Option(
    '--max-rate <rate>',
    'download at most so many bytes a second; K, M and G are taken',
  ).argParser((text): number => {
    const rate = parseByteRate(text);
    if (rate === undefined) throw new InvalidArgumentError('It is not a number of bytes.');
    return rate;
  });
}

/** Keeps a command that takes an image from asking anyone but the store for it. */
export function noPullOption(): Option {
  return new Option(
    '--no-pull',
    'take the image that the store has; no registry or archive is asked',
  );
}

/** A whole number from 1 to 32: how many layers side by side. */
export function parallelOption(): Option {
  return new Option(
    '--parallel <number>',
    'how many layers are fetched side by side; 4 unless given',
  ).argParser((text): number => {
    if (!/^([1-9]|[12]\d|3[0-2])$/.test(text)) {
      throw new InvalidArgumentError('It is not a number from 1 to 32.');
    }
    return Number(text);
  });
}

/** Takes a password off the list of processes, which everyone on the host may read: the name of the program is left. */
export function hideArguments(
  ...given: readonly { readonly creds?: Credentials | undefined }[]
): void {
  if (given.some(({ creds }) => creds !== undefined)) process.title = 'berth';
}
