import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { test } from 'node:test';

import { change, defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';
import { agentProgram } from '../support/probe-program.js';
import { waitUntil } from '../support/wait-until.js';

/* What an engine takes from the runtime over a socket: a terminal, and a listener of system calls. */

/** The agent at a socket, and what it has printed. */
class Agent implements Disposable {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(path: string, kind: string) {
    this.#child = spawn(agentProgram(), [path, kind], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#text += chunk.toString()));
  }

  static async listen(path: string, kind: 'terminal' | 'listener'): Promise<Agent> {
    const agent = new Agent(path, kind);
    await agent.says(/^listening$/m);
    return agent;
  }

  /** Waits until the agent has printed something; gives the match. */
  async says(wanted: RegExp): Promise<RegExpExecArray> {
    return waitUntil(`${String(wanted)} from the agent`, () => {
      const found = wanted.exec(this.#text);
      assert.ok(found !== null, this.#text);
      return found;
    });
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

const SCRIPT =
  'stty size; tty; trap "echo resized; stty size" WINCH; echo ready; until read line; do :; done; echo "got $line"; exit 7';

test('--console-socket: the engine has the terminal, its size, what is written and what is typed', async () => {
  using bed = new RuntimeBed();
  using agent = await Agent.listen(bed.path('console'), 'terminal');
  bed.configure(
    change(defaultDocument(['sh', '-c', SCRIPT]), {
      process: { terminal: true, consoleSize: { height: 11, width: 22 }, user: { uid: 5, gid: 6 } },
    }),
  );
  bed.must(bed.create('--console-socket', bed.path('console')));
  await agent.says(/^text \/dev\/ptmx$/m);
  await agent.says(/^window 11 22$/m);
  bed.must(bed.call('start', bed.id));
  await agent.says(/^11 22\r\n\/dev\/(pts\/0|console)\r\nready\r$/m);
  agent.type('size 30 100');
  await agent.says(/^resized\r\n30 100\r$/m);
  agent.type('a line');
  await agent.says(/^got a line\r$/m);
  await agent.says(/^end$/m);
  await bed.waitFor('stopped');
});

test('exec --tty --console-socket: a terminal of its own beside that of the container', async () => {
  using bed = new RuntimeBed();
  using agent = await Agent.listen(bed.path('console'), 'terminal');
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  const options = ['--tty', '--detach', '--console-socket', bed.path('console')];
  bed.must(bed.call('exec', ...options, bed.id, 'sh', '-c', 'read line; echo "got $line"; tty'));
  await agent.says(/^text \/dev\/ptmx$/m);
  agent.type('a line');
  await agent.says(/^got a line\r\n\/dev\/pts\/\d+\r$/m);
  await agent.says(/^end$/m);
});

test('seccomp: who listens is told of the container, and answers for its calls', async () => {
  using bed = new RuntimeBed();
  using agent = await Agent.listen(bed.path('listener'), 'listener');
  bed.configure(
    change(defaultDocument(['sh', '-c', 'mkdir /made; echo status $?; touch /touched']), {
      annotations: { 'org.example': 'x' },
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          listenerPath: bed.path('listener'),
          listenerMetadata: 'for the listener',
          syscalls: [{ names: ['mkdir', 'mkdirat', 'umask'], action: 'SCMP_ACT_NOTIFY' }],
        },
      },
    }),
  );
  const number = bed.must(bed.create());
  // config-linux.md, "The Container Process State".
  const [, text = ''] = await agent.says(/^text (.*)$/m);
  const told = JSON.parse(text) as { pid: number; fds: unknown; metadata: unknown; state: object };
  const state = bed.state();
  assert.deepEqual(
    [told.fds, told.metadata, told.pid],
    [['seccompFd'], 'for the listener', state?.pid],
  );
  assert.deepEqual(told.state, {
    ...{ ociVersion: '1.0.0', id: bed.id, status: 'creating', pid: state?.pid },
    ...{ bundle: bed.bundle, annotations: { 'org.example': 'x' } },
  });
  bed.must(bed.call('start', bed.id));
  await agent.says(/^asked 1$/m);
  await bed.waitFor('stopped');
  assert.equal(bed.read('made'), undefined);
  assert.equal(bed.read('touched'), '');
  assert.match(bed.output(number), /No medium found$/m);
  assert.match(bed.output(number), /^status 1$/m);
});
