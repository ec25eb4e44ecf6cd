import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder, projectRoot } from './cache-folder.js';

/**
 * The path of the probe: a static program that says what a container looks like from inside. Compiled on first use, with this
 * machine's compiler unless another is given.
 */
export function probeProgram(compiler = 'cc'): string {
  return compiled('probe/probe.c', compiler);
}

/** The path of the agent: takes a terminal, or a listener of system calls, from a runtime. Compiled on first use. */
export function agentProgram(): string {
  return compiled('agent/agent.c');
}

function compiled(name: string, compiler = 'cc'): string {
  const source = join(projectRoot, 'test/support', name);
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const path = join(cacheFolder('probe'), compiler === 'cc' ? digest : `${digest}-${compiler}`);
  if (!existsSync(path)) {
    // Tests run side by side: each makes its own, and any of them is as good as the others.
    const temporary = `${path}.${process.pid}`;
    const flags = ['-static', '-O1', '-Wall', '-Wno-unused-result'];
    execFileSync(compiler, [...flags, '-o', temporary, source]);
    renameSync(temporary, path);
  }
  return path;
}
