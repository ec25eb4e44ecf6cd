import assert from 'node:assert/strict';

import { compileLaunchPlan } from '../../../src/runtime/compile-launch-plan.js';
import { compileRunPlan } from '../../../src/runtime/compile-run-plan.js';
import { INSTRUCTIONS, readTextField, splitPlan } from '../../../src/runtime/plan-format.js';
import { each } from '../../support/each.js';
import { runtimeConfig } from '../../support/runtime-config.js';

const PROCESS = { args: ['/probe', 'deaf'], env: ['PATH=/bin', 'COLOUR=blue'], cwd: '/' };

each(
  'compileRunPlan() runs',
  [
    {
      name: "the container's own program with other variables",
      args: [],
      env: ['COLOUR=red', 'MORE=a=b'],
      want: {
        args: ['/probe', 'deaf'],
        env: ['COLOUR=red', 'HOME=/root', 'MORE=a=b', 'PATH=/bin'],
      },
    },
    {
      name: 'another program with the same ones',
      args: ['/bin/ls', '-l'],
      env: [],
      want: { args: ['/bin/ls', '-l'], env: ['COLOUR=blue', 'HOME=/root', 'PATH=/bin'] },
    },
  ],
  ({ args, env, want }) => {
    const { plan } = compileLaunchPlan(runtimeConfig({ process: PROCESS }), {
      name: 'web',
      rootfs: '/var/lib/berth/web/rootfs',
      notify: false,
    });
    const made = splitPlan(compileRunPlan(plan, { args, env, identity: {} }));
    const textsOf = (name: 'ARGUMENT' | 'ENVIRONMENT'): readonly string[] =>
      made
        .filter(({ op }) => op === INSTRUCTIONS[name].op)
        .map(({ body }) => readTextField(body, 0));
    assert.deepEqual({ args: textsOf('ARGUMENT'), env: [...textsOf('ENVIRONMENT')].sort() }, want);
    assert.equal(made.at(-1)?.op, INSTRUCTIONS.EXEC.op);
  },
);
