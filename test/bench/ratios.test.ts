import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { debianImageLayers } from '../support/debian-image.js';
import { ContainerBed, launcher } from '../support/launched-container.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { runMeasured } from '../support/run-measured.js';
import { runtimeConfigDocument } from '../support/runtime-config.js';
import { TempDir } from '../support/temp-dir.js';
import { LayerMaker } from './make-layers.js';
import { compare, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';
import { BERTH_PROGRAM, installWithBerth, PullContenders } from './pull-contenders.js';

/*
 * That something became several times slower is noticed here. Only ratios are looked at, taken in one run, and their bounds
 * leave room for a machine that does other things beside: each is two to seven times what the benchmark measures.
 */

/** What other work on the machine spoils once, it does not spoil each time. */
const ATTEMPTS = 3;

const ROUNDS = 3;

/** Fails unless the first of the contenders takes at most so many times what the second does. */
async function holdRatio(contenders: readonly [Contender, Contender], bound: number) {
  const found: number[] = [];
  while (found.length < ATTEMPTS) {
    const [own, peer] = await compare('', ROUNDS, contenders);
    const ratio = (own?.medianMs ?? Number.NaN) / (peer?.medianMs ?? Number.NaN);
    if (ratio <= bound) return;
    found.push(ratio);
  }
  const each = found.map((ratio) => `${ratio.toFixed(2)} x`).join(', ');
  assert.fail(`${each} of '${contenders[1].what}', ${bound} x at most`);
}

const node: Contender = {
  what: 'node -e 0',
  run: () => {
    mustRun(process.execPath, ['-e', '0']);
  },
};

test('the help takes at most 2.5 times what Node takes to start', async () => {
  const help = () => {
    mustRun(process.execPath, [BERTH_PROGRAM, '--help']);
  };
  await holdRatio([{ what: 'berth --help', run: help }, node], 2.5);
});

test('a list of nothing takes at most 4 times what Node takes to start', async () => {
  using tree = new TempDir();
  const list = () => {
    mustRun(process.execPath, [BERTH_PROGRAM, '--root', tree.path, 'list']);
  };
  await holdRatio([{ what: 'berth list', run: list }, node], 4);
});

test('starting a container by its plan takes at most half of what runc takes', async () => {
  using bed = new ContainerBed();
  bed.compile(['exit', '0']);
  const document = runtimeConfigDocument({ process: { args: ['/probe', 'exit', '0'] } });
  writeFileSync(bed.path('config.json'), JSON.stringify(document));
  const launch: Contender = {
    what: 'launcher',
    run: () => {
      mustRun(launcher, [bed.plan]);
    },
  };
  const runc: Contender = {
    what: 'runc run',
    run: (round) => {
      mustRun('runc', ['run', '--bundle', bed.path(''), `ratio-${process.pid}-${round}`]);
    },
  };
  await holdRatio([launch, runc], 0.5);
});

test('pulls, copies and their memory', async (t) => {
  await using registry = await startRegistry();
  using dir = new TempDir();
  const [, corpus = ''] = await debianImageLayers('docker');
  const maker = new LayerMaker(dir.path, corpus);
  for (const [tag, bytes] of [
    ['small', 20_000_000],
    ['large', 80_000_000],
  ] as const) {
    const layers = await maker.layers({ layers: 1, files: 800, bytes });
    await pushImage(registry.target('ratio'), tag, {
      layers: layers.map((path) => ({ content: { path } })),
      process: { Entrypoint: ['/usr/bin/true'] },
    });
  }
  const of = (tag: string): PullContenders =>
    new PullContenders(dir.path, registry.reference('ratio', tag));

  await t.test('a pull takes at most what skopeo and umoci take', async () => {
    await holdRatio([of('large').berth(), of('large').umoci()], 1);
  });

  await t.test('a second container of an image takes at most 0.8 of the first', async () => {
    const root = (round: number): string => join(dir.path, `again${round}`);
    const install = (round: number, name: string) =>
      installWithBerth(root(round), name, registry.reference('ratio', 'large'));
    const again: Contender = {
      what: 'the second',
      prepare: async (round) => {
        mkdirSync(root(round));
        await install(round, 'first');
      },
      run: async (round) => {
        await install(round, 'second');
      },
      cleanUp: (round) => {
        rmSync(root(round), { recursive: true });
      },
    };
    await holdRatio([again, { ...of('large').berth(), what: 'the first' }], 0.8);
  });

  await t.test('a copy takes at most three times what that of skopeo takes', async () => {
    const policy = join(dir.path, 'policy.json');
    const from = `docker://${registry.reference('ratio', 'large')}`;
    const place = (name: string, round: number): string => join(dir.path, `${name}${round}`);
    const copyBy = (what: string, argv: readonly [string, ...string[]]): Contender => ({
      what,
      run: async (round) => {
        const [program, ...args] = argv;
        await runMeasured(program, [...args, from, `oci:${place(what, round)}:ratio`]);
      },
      cleanUp: (round) => {
        rmSync(place(what, round), { recursive: true });
      },
    });
    const skopeo = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false'];
    await holdRatio(
      [
        copyBy('berth', [process.execPath, BERTH_PROGRAM, 'copy']),
        copyBy('skopeo', ['skopeo', ...skopeo]),
      ],
      3,
    );
  });

  await t.test('four times the bytes do not take 1.5 times the memory', async () => {
    const peaks: Figure[] = [];
    for (const tag of ['small', 'large']) {
      peaks.push(...(await compare('', 1, [of(tag).berth()])));
    }
    const [small = Number.NaN, large = Number.NaN] = peaks.map(({ peakBytes }) => peakBytes);
    assert.ok(large < 1.5 * small, `${small} bytes and ${large}`);
  });
});
