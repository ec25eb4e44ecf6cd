import { escapeText } from '../../base/escape-text.js';
import type { TrustEntry } from '../../trust/describe-policy.js';
import { formatTable } from './table.js';

/** A policy for people: a line for each requirement. */
export function formatTrust(
  entries: readonly TrustEntry[],
  where: {
    readonly file: string | undefined;
    readonly path: string;
    readonly unnamed: readonly string[];
  },
): string {
  const head =
    where.file === undefined
      ? `there is no ${where.path}: every image is taken\n`
      : `${where.file}\n`;
  const rows = entries.map((entry) => [
    entry.transport,
    entry.scope ?? '',
    entry.type,
    escapeText(keysOf(entry), 400),
    storeOf(entry),
  ]);
  const columns = ['TRANSPORT', 'SCOPE', 'TYPE', 'KEYS', 'SIGNATURES'];
  const unnamed =
    where.unnamed.length === 0
      ? ''
      : `signatures that name no image do for ${escapeText(where.unnamed.join(', '), 400)} (berth.conf)\n`;
  return head + formatTable(columns, rows) + unnamed;
}

function keysOf({ keys, files, problem, identity }: TrustEntry): string {
  if (problem !== undefined) return problem;
  if (identity === undefined) return '';
  const from = files.length === 0 ? 'in the policy' : files.join(', ');
  return `${keys.join(', ')} (${from}; ${identity})`;
}

function storeOf({ lookaside, attachments }: TrustEntry): string {
  return [lookaside ?? '', attachments === true ? 'in the registry' : '']
    .filter((part) => part !== '')
    .join(', ');
}
