import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';

import type { CompiledLaunch, LaunchPlanOptions } from '../../src/runtime/launch-plan.js';
import type { ServiceUser } from '../../src/runtime/service-user.js';
import { ContainerBed, launcher } from './launched-container.js';
import { runCommand, type CommandResult } from './run-command.js';
import type { ConfigChanges } from './runtime-config.js';

/** An ordinary user, as berth would find one. */
export const SERVICE_USER: ServiceUser = {
  uid: 1000,
  gid: 1000,
  limits: { hard: Array.from({ length: 16 }, () => Infinity), oomScoreAdj: 0 },
};

/** The words that run a program as that user and with none of root's rights. */
export function asUser({
  uid,
  gid,
}: { readonly uid: number; readonly gid: number } = SERVICE_USER): readonly string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=-all'];
}

/** A deployment of an ordinary user's: everything in it is his, and it is he who runs the launcher. */
export class UserBed extends ContainerBed {
  override compile(
    words: readonly string[],
    changes: ConfigChanges = {},
    options: Partial<LaunchPlanOptions> = {},
  ): CompiledLaunch {
    const compiled = super.compile(words, changes, { user: SERVICE_USER, ...options });
    this.giveAway();
    return compiled;
  }

  /** Makes everything the user's. */
  giveAway(): void {
    const { uid, gid } = SERVICE_USER;
    execFileSync('chown', ['-R', '--no-dereference', `${uid}:${gid}`, dirname(this.plan)]);
    chmodSync(dirname(this.plan), 0o755);
  }

  override launch(
    env: Readonly<Record<string, string>> = {},
    args: readonly string[] = [],
  ): Promise<CommandResult> {
    return runCommand([...asUser(), launcher, this.plan, ...args], { env, timeoutMs: 20_000 });
  }

  override start(
    env: Readonly<Record<string, string>> = {},
    stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
  ): ChildProcess {
    const [program = '', ...words] = asUser();
    return spawn(program, [...words, launcher, this.plan], {
      env: { PATH: process.env['PATH'], ...env },
      stdio,
    });
  }
}
