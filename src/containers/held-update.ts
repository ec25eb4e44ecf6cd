import type { Digest } from '../oci/digest.js';
import { changeSettings, readSettings, type HeldUpdate } from './container-settings.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { withNameLock } from './name-lock.js';

/** What the timer left to a person, where it still is of account: nothing else was installed meanwhile, or gone back from. */
export async function findHeld(
  host: Host,
  { name, image }: Pick<Deployment, 'name' | 'image'>,
): Promise<HeldUpdate | undefined> {
  const { held, rejected } = await readSettings(host.paths, name);
  if (held?.from !== image.digest) return undefined;
  return rejected.some(({ digest }) => digest === held.digest) ? undefined : held;
}

/** Writes down what was found to ask for more, or that there is nothing such. */
export async function rememberHeld(
  host: Host,
  installed: Pick<Deployment, 'name' | 'image'>,
  found:
    | { readonly reference: string; readonly digest: Digest; readonly asks: readonly string[] }
    | undefined,
): Promise<void> {
  const { name, image } = installed;
  const { held } = await readSettings(host.paths, name);
  if (held === undefined && found === undefined) return;
  await withNameLock(host, name, () =>
    changeSettings(host.paths, name, {
      held:
        found === undefined
          ? undefined
          : { from: image.digest, ...found, at: new Date(host.nowMs()).toISOString() },
    }),
  );
}

/** Why a version is held that may do no more than the installed one. */
export const EDITED_BY_HAND =
  'its config.json was edited by hand, and what was edited would be lost';

/** What a version is held for, in words that its list follows. */
export function whyHeld(asks: readonly string[]): string {
  return asks.includes(EDITED_BY_HAND)
    ? 'is left to a person'
    : 'may do more than what is installed';
}

/** What to type to be asked, and to have it then. */
export function commandFor(
  name: string,
  { rebase }: { readonly rebase: string | undefined },
): string {
  return `berth update ${rebase === undefined ? '' : `--rebase ${rebase} `}${name}`;
}
