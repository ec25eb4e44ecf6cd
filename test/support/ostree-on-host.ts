import { ostreeTreeRecipe, hostTree } from './host-tree.js';
import { runOk } from './run-command.js';
import type { Suite } from './suites.js';

/**
 * Gives a host's tree the libostree of its suite, and what that needs, out of the tree that has it already: a further tree
 * would be a further installation of Debian.
 */
export async function addLibostree(root: string, suite: Suite): Promise<void> {
  const tree = await hostTree(ostreeTreeRecipe(suite));
  // What the host has of its own stays as it is.
  await runOk(['cp', '-an', `${tree}/usr/lib/.`, `${root}/usr/lib`]);
}
