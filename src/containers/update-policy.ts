import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { getContainer } from './container-directory.js';
import { changeSettings, readSettings } from './container-settings.js';
import type { Host } from './host.js';
import { withNameLock } from './name-lock.js';
import { isTagPattern } from './tag-pattern.js';

/** What the timer does where there is something new; each includes what stands before it. */
export const UPDATE_MODES = ['off', 'check', 'download', 'apply'] as const;

/** One of {@link UPDATE_MODES}. */
export type UpdateMode = (typeof UPDATE_MODES)[number];

/** What becomes of a version that may do more than the installed one: it waits for a person, or is applied like others. */
export const NEW_PERMISSIONS = ['hold', 'allow'] as const;

/** How the timer updates a container. */
export interface UpdatePolicy {
  readonly mode: UpdateMode;
  /** A pattern of versions, or one tag, to follow; undefined for the tag that it was installed from. */
  readonly tags: string | undefined;
  /** Times of day between which an update may be applied, `HH:MM-HH:MM` of the host's clock; undefined for always. */
  readonly window: string | undefined;
  readonly newPermissions: (typeof NEW_PERMISSIONS)[number];
}

/** What {@link setPolicy} changes; `''` takes a setting away. */
export interface PolicyChange {
  readonly mode?: string | undefined;
  readonly tags?: string | undefined;
  readonly window?: string | undefined;
  readonly newPermissions?: string | undefined;
}

const WINDOW = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;
const TAG = /^\w[\w.-]{0,127}$/;

/** Reads the policy of a container; it is off where none was set. */
export async function readPolicy(host: Host, name: string): Promise<UpdatePolicy> {
  const { updatePolicy } = await readSettings(host.paths, name);
  return parsePolicy(updatePolicy);
}

/**
 * Changes the policy of a container and gives what holds now.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND, BUSY, USAGE for what is no mode, pattern or window
 */
export async function setPolicy(
  host: Host,
  name: string,
  change: PolicyChange,
): Promise<UpdatePolicy> {
  await getContainer(host.paths, name);
  return withNameLock(host, name, async () => {
    await getContainer(host.paths, name);
    const { updatePolicy } = await readSettings(host.paths, name);
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    const merged = { ...updatePolicy, ...(Object.fromEntries(given) as Record<string, string>) };
    const kept = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''));
    const policy = parsePolicy(kept);
    await changeSettings(host.paths, name, { updatePolicy: kept });
    return policy;
  });
}

/** @throws {@link OperationalError} USAGE */
export function parsePolicy(settings: Readonly<Record<string, string>>): UpdatePolicy {
  const { mode: modeText = 'off', tags, window, newPermissions: permissions = 'hold' } = settings;
  const mode = UPDATE_MODES.find((known) => known === modeText);
  if (mode === undefined) throw wrong(`${quote(modeText)} is no mode: ${UPDATE_MODES.join(', ')}`);
  if (tags !== undefined && !isTagPattern(tags) && !TAG.test(tags))
    throw wrong(`${quote(tags)} is neither a tag nor a pattern such as 3.5.x, ^3.5 or ~3.5.1`);
  if (window !== undefined && !WINDOW.test(window))
    throw wrong(`${quote(window)} is no window: HH:MM-HH:MM`);
  const newPermissions = NEW_PERMISSIONS.find((known) => known === permissions);
  if (newPermissions === undefined)
    throw wrong(`new permissions are held or allowed: ${NEW_PERMISSIONS.join(', ')}`);
  return { mode, tags, window, newPermissions };
}

/** Whether a time of day lies in a window; one that ends before it begins goes over midnight. */
export function isInWindow(window: string | undefined, now: Date): boolean {
  const [, ...parts] = WINDOW.exec(window ?? '') ?? [];
  if (parts.length < 4) return true;
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = parts.map(Number);
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute];
  const minute = now.getHours() * 60 + now.getMinutes();
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}

function wrong(problem: string): OperationalError {
  return new OperationalError('USAGE', problem);
}
