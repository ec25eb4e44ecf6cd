import { escapeText } from '../../base/escape-text.js';
import type { HostEvent } from '../../containers/host.js';
import type { CliContext, CommonOptions } from '../context.js';

/** Longest warning in characters, as for errors. */
const MAX_EVENT_CHARACTERS = 2000;

/** Under `--json` every line of standard error is one JSON object, warnings too. */
export function printEvent(context: CliContext, options: CommonOptions, event: HostEvent): void {
  const { stderr } = context.host;
  // Warnings quote what images bring.
  const text = escapeText(event.text, MAX_EVENT_CHARACTERS);
  if (options.json === true) {
    if (event.kind === 'warning')
      stderr.write(`${JSON.stringify({ warning: { message: text } })}\n`);
    return;
  }
  stderr.write(event.kind === 'warning' ? `berth: ${text}\n` : `${text}\n`);
}
