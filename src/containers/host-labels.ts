import { constants, lstatSync } from 'node:fs';
import { join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { PACKAGED_LAUNCHER } from '../runtime/packaged-launcher.js';
import type { FileContexts } from '../sys/file-contexts.js';
import { giveLabel, giveLabelsBelow, pathAt, readLabel, typeOf } from '../sys/security-label.js';
import type { At } from '../sys/libc.js';

/** What SELinux is to find on files of three kinds. */
export interface KnownContexts {
  /** What the policy says of a path of the host. */
  readonly files: FileContexts;
  /** Of what containers read and run, and never write; undefined where the policy knows no containers. */
  readonly content: string | undefined;
}

/**
 * Gives what berth puts onto a host the labels by which SELinux lets others use it. On a running host nearly all comes right by
 * itself, since a new file gets the type of its folder: what is said here is where that is not so.
 *
 * - files of an image on the host have the type of their path, before they have their name;
 * - launchers that berth copies have the one of a packaged launcher: systemd runs nothing that is only data in /var/lib;
 * - checkouts and the store have the one of containers' read-only content. Checkouts share the store's inodes: there is one
 *   label for both, and for all containers.
 *
 * A tree that is not running has no kernel that labels, so all of berth's own gets its label in the end (label-tree.ts), by the
 * tree's own policy.
 *
 * What a label is refused for is told once and is no failure: the administrator relabels, as the policy says.
 */
export class HostLabels implements Disposable {
  readonly #paths: HostPaths;
  readonly #known: KnownContexts;
  readonly #warn: (text: string) => void;
  #refused = false;

  constructor(paths: HostPaths, known: KnownContexts, warn: (text: string) => void) {
    this.#paths = paths;
    this.#known = known;
    this.#warn = warn;
  }

  /** For what is to get the name `path`, and has another one until then. */
  labelAs(onDisk: string, path: string): void {
    this.#give(pathAt(onDisk), this.contextOf(path, lstatSync(onDisk).mode));
  }

  /** For a copy of the launcher. */
  labelLauncher(onDisk: string): void {
    this.#give(pathAt(onDisk), this.#launcherContext());
  }

  /** Whether a copy of the launcher is what systemd may run. */
  isLauncher(onDisk: string): boolean {
    const wanted = this.#launcherContext();
    const present = readLabel(pathAt(onDisk));
    return wanted === undefined || present === undefined || typeOf(wanted) === typeOf(present);
  }

  /** For a folder of containers' content, and what is in it already; what is made in it has the same by itself. */
  labelContent(onDisk: string): void {
    const { content } = this.#known;
    const at = pathAt(onDisk);
    if (content === undefined || !this.#give(at, content, { mayBeUnknown: true })) return;
    giveLabelsBelow(at, () => content);
  }

  /** What something in the state directory has, by its path below that. */
  contextInState(path: string, type: number): string | undefined {
    const [first = '', second] = path.split('/');
    const { stateDir, launcherDir, storeDir, mountsDir } = this.#paths;
    const place = join(stateDir, first);
    if (place === launcherDir) return this.#launcherContext();
    const isContent =
      place === storeDir || place === mountsDir || (second === 'rootfs' && /\.\d+$/.test(first));
    const { content } = this.#known;
    return isContent && content !== undefined
      ? content
      : this.contextOf(join(stateDir, path), type);
  }

  /** What the policy gives a path; undefined where it leaves that to others. */
  contextOf(path: string, type: number): string | undefined {
    try {
      return this.#known.files.lookUp(path, type);
    } catch (error) {
      // Rules are compiled when they are first asked for; one of the administrator's own may be wrong.
      this.refuse(error, path);
      return undefined;
    }
  }

  /** Tells that something cannot be labelled; once. */
  refuse(error: unknown, path: string): void {
    if (this.#refused) return;
    this.#refused = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#warn(
      `SELinux: cannot label ${quote(path)}: ${why}; label it with 'restorecon -R' where a service may not use it`,
    );
  }

  [Symbol.dispose](): void {
    this.#known.files[Symbol.dispose]();
  }

  #launcherContext(): string | undefined {
    return this.contextOf(PACKAGED_LAUNCHER, constants.S_IFREG);
  }

  #give(
    at: At,
    context: string | undefined,
    { mayBeUnknown = false }: { readonly mayBeUnknown?: boolean } = {},
  ): boolean {
    if (context === undefined) return false;
    try {
      return giveLabel(at, context);
    } catch (error) {
      if (!isErrno(error, 'EACCES', 'EPERM', 'EINVAL', 'EROFS')) throw error;
      if (!mayBeUnknown || !isErrno(error, 'EINVAL')) this.refuse(error, at.name);
      return false;
    }
  }
}
