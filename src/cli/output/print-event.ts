import { escapeText } from '../../base/escape-text.js';
import type { HostEvent } from '../../containers/host.js';
import type { CliContext, CommonOptions } from '../context.js';
import { journalLines } from './journal-lines.js';
import { placedHint } from './placed-hint.js';

/** Longest warning in characters, as for errors. */
const MAX_EVENT_CHARACTERS = 2000;

/** Under `--json` every line of standard error is one JSON object, warnings too. */
export function printEvent(context: CliContext, options: CommonOptions, event: HostEvent): void {
  const { stderr, env } = context.host;
  // Warnings quote what images bring.
  const text = escapeText(placedHint(event.text, options), MAX_EVENT_CHARACTERS);
  if (options.json === true) {
    if (event.kind === 'warning')
      stderr.write(`${JSON.stringify({ warning: { message: text } })}\n`);
    return;
  }
  const isWarning = event.kind === 'warning';
  const line = isWarning ? `berth: ${text}\n` : `${text}\n`;
  stderr.write(journalLines(line, isWarning ? 'warning' : 'info', env));
}
