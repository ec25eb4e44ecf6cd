import { consentTo, type Consent } from '../containers/consent.js';
import type { SetOutcome } from '../containers/update-set.js';
import type { UpdateOutcome } from '../containers/update-outcome.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CliContext, CommonOptions } from './context.js';
import { formatAsks } from './output/format-update.js';
import { readLine } from './read-line.js';

/** How a command asks, and whether it has to. */
export interface AskConsentCall {
  readonly context: CliContext;
  readonly options: CommonOptions & { readonly allowNewPermissions?: boolean };
}

/** Most of what a new version asks for that an error names; the plan names all. */
const MAX_NAMED = 5;

/**
 * Carries an update out. Where it is held because the new version may do more than the installed one, says so on the terminal and
 * asks; a yes is for exactly that, so that whatever else is found when it is carried out then is asked about again. No lock is held
 * meanwhile.
 *
 * @throws OperationalError CONSENT_MISSING where nobody can be asked, or the answer is no; CANCELLED on Ctrl-C
 */
export async function withConsent(
  { context, options }: AskConsentCall,
  carryOut: (consent: Consent | undefined) => Promise<UpdateOutcome | SetOutcome>,
): Promise<UpdateOutcome | SetOutcome> {
  let consent: Consent | undefined =
    options.yes === true || options.allowNewPermissions === true ? 'all' : undefined;
  for (;;) {
    const outcome = await carryOut(consent);
    if (outcome.action !== 'held') return outcome;
    const held = 'set' in outcome ? outcome.members : [outcome];
    const name = 'set' in outcome ? outcome.set : outcome.name;
    await ask({ context, options }, name, held);
    consent = consentTo(held);
  }
}

async function ask(
  { context, options }: AskConsentCall,
  name: string,
  held: readonly UpdateOutcome[],
): Promise<void> {
  const { stdin, stderr } = context.host;
  // Who reads JSON is no person, and a question that is not seen is not answered.
  if (stdin?.isTTY !== true || !stderr.isTTY || options.json === true) {
    const asks = held.flatMap((update) => update.asks);
    const more = asks.length > MAX_NAMED ? ` and ${asks.length - MAX_NAMED} more` : '';
    throw new OperationalError(
      'CONSENT_MISSING',
      `refusing to update '${name}': its new version may do more than the installed one: ${asks.slice(0, MAX_NAMED).join('; ')}${more}`,
      { hint: "--plan shows all of it, and '--allow-new-permissions' allows it" },
    );
  }
  stderr.write(`${formatAsks(held)}Update ${name}? [y/N] `);
  const answer = await readLine(stdin, { signal: context.signal, what: 'the update' });
  if (/^\s*y(?:es)?\s*$/i.test(answer)) return;
  throw new OperationalError(
    'CONSENT_MISSING',
    `'${name}' stays as it is: what its new version may do more was not allowed`,
  );
}
