import { ownProgram } from '../../src/base/own-files.js';
import { configTemplate, SERVICE_TEMPLATE } from './exports-image.js';
import { assertFreshProgram } from './fresh-program.js';
import { pathsInFolder } from './host-tree-paths.js';
import { type CommandResult, runCommand } from './run-command.js';
import type { TarItem } from './tar-builder.js';
import { TempDir } from './temp-dir.js';
import { writeLayout } from './write-layout.js';

const PROGRAM = ownProgram();

/** A tree that is not running, with berth at work on it, and images in layouts beside it. */
export class BerthInTree implements Disposable {
  readonly #tree: TempDir;
  readonly #layouts = new TempDir();

  /** `parent` is where the tree is made; in memory unless given. */
  constructor(parent?: string) {
    assertFreshProgram();
    this.#tree = new TempDir(parent);
    pathsInFolder(this.#tree.path);
  }

  /** Of the tree. */
  get path(): string {
    return this.#tree.path;
  }

  /** Runs a berth command on the tree. */
  run(...args: readonly string[]): Promise<CommandResult> {
    return runCommand(this.command(...args));
  }

  /** The words of a berth command on the tree. */
  command(...args: readonly string[]): readonly string[] {
    return [process.execPath, PROGRAM, '--root', this.#tree.path, ...args];
  }

  /** The same for a command that has to succeed; gives what it printed. */
  async runOk(...args: readonly string[]): Promise<string> {
    const result = await this.run(...args);
    if (result.status !== 0)
      throw new Error(`berth ${args.join(' ')} ended with ${result.status}: ${result.stderr}`);
    return result.stdout;
  }

  /** Where the layout of an image is. */
  layout(name: string): string {
    return `${this.#layouts.path}/${name}`;
  }

  /** Makes an image of a system container with the given files, and without those that are undefined; the reference to install it by. */
  makeImage(
    name: string,
    files: readonly TarItem[],
    exports: Readonly<Record<string, string | undefined>> = {},
  ): string {
    const brought: Readonly<Record<string, string | undefined>> = {
      'service.template': SERVICE_TEMPLATE,
      'config.json.template': configTemplate(),
      ...exports,
    };
    return writeLayout(this.layout(name), {
      layers: [
        files,
        [
          { path: 'exports/' },
          ...Object.entries(brought).flatMap(([file, content]) =>
            content === undefined ? [] : [{ path: `exports/${file}`, content }],
          ),
        ],
      ],
    });
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
    this.#layouts[Symbol.dispose]();
  }
}
