import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import { getContainer } from './container-directory.js';
import { readSettings } from './container-settings.js';
import { fetchImageIf } from './fetch-image.js';
import { commandFor, EDITED_BY_HAND, findHeld, rememberHeld } from './held-update.js';
import type { Host } from './host.js';
import { finishInterrupted } from './name-lock.js';
import { isTagPattern, selectTag } from './tag-pattern.js';
import type { UpdateRequest } from './prepare-update.js';
import { update } from './update.js';
import { isInWindow, readPolicy, type UpdateMode } from './update-policy.js';
import { isConfigEdited } from './warn-of-edits.js';

/** What the timer's run came to for one container. */
export interface AutoUpdateOutcome {
  readonly name: string;
  readonly mode: UpdateMode;
  /**
   * `available` where it only was to check, or its window is closed; `downloaded`, `updated`; `rejected` where what is new
   * was tried before and was not well; `held` where what is new may do more than what is installed, and a person has to allow it;
   * `current` where there is nothing new; `off`.
   */
  readonly action: 'off' | 'current' | 'rejected' | 'held' | 'available' | 'downloaded' | 'updated';
  /** The reference that it follows now. */
  readonly reference: string;
  readonly digest: Digest;
  /** What a person has to allow; empty unless it is held. */
  readonly asks: readonly string[];
  /** Whether an earlier run has said so. */
  readonly wasHeld: boolean;
  /** What to type to have it. */
  readonly command: string | undefined;
}

/** What {@link autoUpdate} works with. */
export interface AutoUpdateOptions {
  /** Says what would be done, and does not do it. */
  readonly dryRun: boolean;
  /** The tags of the repository that a reference names. */
  listTags(reference: string): Promise<readonly string[]>;
  /** How an update is carried out that is to be applied. */
  readonly request: Omit<UpdateRequest, 'rebase' | 'consent'>;
}

/**
 * Does for one container what its policy says. An image that was tried and was not well is left alone.
 *
 * @throws OperationalError as {@link update} does; USAGE for a pattern where the image is not a registry's
 */
export async function autoUpdate(
  host: Host,
  name: string,
  options: AutoUpdateOptions,
): Promise<AutoUpdateOutcome> {
  const { mode, tags, window, newPermissions } = await readPolicy(host, name);
  // Where an update was cut off after its image was in place, nothing would look new.
  if (mode === 'apply' && !options.dryRun) await finishInterrupted(host, name);
  const installed = await getContainer(host.paths, name);
  const { reference: present, digest } = installed.image;
  const untold = { asks: [], wasHeld: false, command: undefined };
  const unchanged = { name, mode, reference: present, digest, ...untold };
  if (mode === 'off') return { ...unchanged, action: 'off' };
  const reference = tags === undefined ? present : await follow(present, tags, options);
  const { rejected } = await readSettings(host.paths, name);
  let found: Digest = digest;
  const isBad = (): boolean => rejected.some((bad) => bad.digest === found);
  const store = mode !== 'check' && !options.dryRun;
  await fetchImageIf(
    host,
    { reference, platform: undefined, onProgress: options.request.onProgress },
    {
      preview: false,
      fresh: true,
      wants: (now) => {
        found = now;
        return store && now !== digest && !isBad();
      },
    },
  );
  const result = { name, mode, reference, digest: found, ...untold };
  if (found === digest) {
    if (!options.dryRun) await rememberHeld(host, installed, undefined);
    return { ...unchanged, action: 'current' };
  }
  if (isBad()) return { ...result, action: 'rejected' };
  const rebase = reference === present ? undefined : reference;
  const earlier = await findHeld(host, installed);
  const isHeld = earlier?.digest === found;
  const hold = (asks: readonly string[]): AutoUpdateOutcome => {
    const wasHeld = isHeld && asks.join('\n') === earlier.asks.join('\n');
    return { ...result, action: 'held', asks, wasHeld, command: commandFor(name, { rebase }) };
  };
  if (!store) return isHeld ? hold(earlier.asks) : { ...result, action: 'available' };
  if (mode === 'download' || !isInWindow(window, new Date(host.nowMs())))
    return { ...result, action: 'downloaded' };
  const consent = newPermissions === 'allow' ? 'all' : undefined;
  // Nobody is there to see the warning that an edit is lost.
  const edited = await isConfigEdited(host, installed);
  const outcome = edited
    ? undefined
    : await update(host, name, { ...options.request, rebase, consent });
  if (outcome !== undefined && outcome.action !== 'held') {
    await rememberHeld(host, installed, undefined);
    return { ...result, action: outcome.action === 'updated' ? 'updated' : 'rejected' };
  }
  const held = hold(outcome?.asks ?? [EDITED_BY_HAND]);
  if (!held.wasHeld) {
    const digest = outcome?.to.digest ?? found;
    await rememberHeld(host, installed, { reference, digest, asks: held.asks });
  }
  return held;
}

async function follow(
  present: string,
  tags: string,
  { listTags }: Pick<AutoUpdateOptions, 'listTags'>,
): Promise<string> {
  // `host:5000/name:tag@digest`: a colon after the last slash begins the tag.
  const [, repository = present] = /^(.*?[^/]*?)(?::[\w.-]+)?(?:@[^@/]+)?$/.exec(present) ?? [];
  if (!isTagPattern(tags)) return `${repository}:${tags}`;
  const tag = selectTag(tags, await listTags(repository));
  if (tag !== undefined) return `${repository}:${tag}`;
  throw new OperationalError('IMAGE_NOT_FOUND', `no tag of '${repository}' fits '${tags}'`);
}
