import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Layout } from './layout.js';
import { runOk } from './run-command.js';
import { TempDir } from './temp-dir.js';

/** A layout with one image, a folder for what is written, and a policy that lets everything through. */
export class Workshop implements Disposable {
  readonly layout = new Layout();
  readonly folder = new TempDir();
  readonly digest: string;
  readonly source: string;

  constructor() {
    const image = this.layout.addImage('v1');
    this.layout.finish([image]);
    this.digest = image.digest;
    this.source = `oci:${this.layout.path}:v1`;
    writeFileSync(this.at('policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  }

  at(name: string): string {
    return join(this.folder.path, name);
  }

  /** `skopeo copy`. */
  async skopeo(...args: readonly string[]): Promise<void> {
    await runOk(['skopeo', '--policy', this.at('policy.json'), 'copy', ...args]);
  }

  /** podman or buildah, on a storage of the test's own. */
  async withStorage(program: string, ...args: readonly string[]): Promise<string> {
    const storage = ['--root', this.at('storage'), '--runroot', this.at('run')];
    return runOk([program, ...storage, '--storage-driver', 'vfs', ...args], {
      env: { ...process.env, CONTAINERS_POLICY: this.at('policy.json') },
    });
  }

  [Symbol.dispose](): void {
    this.layout[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }
}
