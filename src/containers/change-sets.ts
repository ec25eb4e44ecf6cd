import { parseContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { getContainer } from './container-directory.js';
import {
  findSet,
  MAX_SET_MEMBERS,
  readSet,
  removeSet,
  setLabel,
  writeSet,
  type ContainerSet,
} from './container-sets.js';
import type { Host } from './host.js';
import { withNameLock } from './name-lock.js';
import { assertPrivileged } from './preflight.js';

/**
 * Makes a set of installed containers. The same set again is success and changes nothing.
 *
 * @throws OperationalError NAME_INVALID, USAGE, CONTAINER_NOT_FOUND; SET_EXISTS if the name is taken by other containers
 */
export async function createSet(
  host: Host,
  text: string,
  members: readonly string[],
): Promise<ContainerSet> {
  const name = parseContainerName(text);
  return withContext(`cannot make the set '${name}'`, async () => {
    assertPrivileged(host);
    if (members.length > MAX_SET_MEMBERS || new Set(members).size < members.length) {
      throw new OperationalError(
        'USAGE',
        `a set has at most ${MAX_SET_MEMBERS} containers, each once`,
      );
    }
    for (const member of members) await getContainer(host.paths, member);
    return withNameLock(host, setLabel(name), async () => {
      const there = await findSet(host.paths, name);
      if (there !== undefined) {
        if (JSON.stringify(there.members) === JSON.stringify(members)) return there;
        throw new OperationalError('SET_EXISTS', 'a set of that name is there', {
          hint: `'berth sets delete ${name}' first; its containers stay as they are`,
        });
      }
      const set: ContainerSet = { name, members, previous: new Map() };
      await writeSet(host.paths, set);
      return set;
    });
  });
}

/** Forgets a set; its containers stay as they are. @throws OperationalError SET_NOT_FOUND */
export async function deleteSet(host: Host, name: string): Promise<void> {
  await withContext(`cannot delete the set '${name}'`, async () => {
    assertPrivileged(host);
    await assertThere(host, name);
    await withNameLock(host, setLabel(name), async () => {
      await assertThere(host, name);
      await removeSet(host.paths, name);
    });
  });
}

/** What is damaged is there, too. @throws OperationalError SET_NOT_FOUND, STORE_FORMAT */
async function assertThere({ paths }: Host, name: string): Promise<void> {
  try {
    await readSet(paths, name);
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== 'CONTAINER_STATE_INVALID')
      throw error;
  }
}
