import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';

// Every kind of drift of an installed container is found, and named as what it is.

let tree: BerthInTree;

before(async () => {
  tree = new BerthInTree();
  const image = tree.makeImage(
    'web',
    [
      { path: 'probe', content: 'program', mode: 0o755 },
      { path: 'etc/' },
      { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' },
      { path: 'etc/link', type: 'symlink', link: 'passwd' },
      { path: 'empty', content: '' },
    ],
    { 'hostfs/etc/web/web.conf': 'port=80\n', 'tmpfiles.template': 'd /run/web 0755 - - -\n' },
  );
  await tree.runOk('install', '--name', 'web', image);
});

after(() => {
  tree[Symbol.dispose]();
});

interface Finding {
  readonly area: string;
  readonly severity: string;
  readonly path?: string;
  readonly problem: string;
  readonly diff: readonly string[];
}

async function verify(): Promise<{ status: number; findings: readonly Finding[] }> {
  const { status, stdout, stderr } = await tree.run('--json', 'verify', 'web');
  assert.equal(stderr, '');
  const [report] = JSON.parse(stdout) as { findings: Finding[] }[];
  return { status, findings: report?.findings ?? assert.fail('no report') };
}

const at = (path: string): string => `${tree.path}${path}`;
const IN_ROOT = '/var/lib/berth/web/rootfs';
const UNIT = '/etc/systemd/system/web.service';

test('berth verify finds nothing where nothing drifted', async () => {
  assert.deepEqual(await verify(), { status: 0, findings: [] });
  assert.equal(await tree.runOk('verify'), 'web.0: as installed\n');
});

interface Row {
  readonly name: string;
  readonly damage: () => void;
  readonly area: string;
  readonly problem: RegExp;
  readonly status?: number;
}

/** Copies a file or link as it is, time and all, and gives what puts it back. */
function keep(path: string): () => void {
  const saved = tree.layout('saved');
  rmSync(saved, { recursive: true, force: true });
  assert.equal(spawnSync('cp', ['-a', at(path), saved]).status, 0);
  return () => {
    rmSync(at(path), { recursive: true, force: true });
    assert.equal(spawnSync('cp', ['-aT', saved, at(path)]).status, 0);
  };
}

const rows: readonly (Row & { readonly touches: string })[] = [
  {
    name: 'F33 an edited unit',
    touches: UNIT,
    damage: () => {
      appendFileSync(at(UNIT), 'Nice=5\n');
    },
    area: 'unit',
    problem: /content was changed/,
  },
  {
    name: 'F32 a masked unit',
    touches: UNIT,
    damage: () => {
      rmSync(at(UNIT));
      symlinkSync('/dev/null', at(UNIT));
    },
    area: 'enablement',
    problem: /masked/,
  },
  {
    name: "berth's drop-in gone",
    touches: `${UNIT}.d/10-berth.conf`,
    damage: () => {
      rmSync(at(`${UNIT}.d/10-berth.conf`));
    },
    area: 'drop-in',
    problem: /missing/,
  },
  {
    name: "F33 an administrator's drop-in",
    touches: `${UNIT}.d`,
    damage: () => {
      writeFileSync(at(`${UNIT}.d/50-own.conf`), '[Service]\nNice=5\n');
    },
    area: 'drop-in',
    problem: /administrator/,
    status: 0,
  },
  {
    name: 'a changed tmpfiles file',
    touches: '/etc/tmpfiles.d/tmpfiles-web.conf',
    damage: () => {
      writeFileSync(at('/etc/tmpfiles.d/tmpfiles-web.conf'), 'd /run/web 0777 - - -\n');
    },
    area: 'tmpfiles',
    problem: /content/,
  },
  {
    name: 'a host file with another mode',
    touches: '/etc/web/web.conf',
    damage: () => {
      chmodSync(at('/etc/web/web.conf'), 0o666);
    },
    area: 'host-file',
    problem: /mode is 0666/,
  },
  {
    name: 'H13 a host file that became a link',
    touches: '/etc/web/web.conf',
    damage: () => {
      rmSync(at('/etc/web/web.conf'));
      symlinkSync('/etc/shadow', at('/etc/web/web.conf'));
    },
    area: 'host-file',
    problem: /symbolic link/,
  },
  {
    name: 'an edited config.json',
    touches: '/var/lib/berth/web.0/config.json',
    damage: () => {
      appendFileSync(at('/var/lib/berth/web/config.json'), ' ');
    },
    area: 'config',
    problem: /edited/,
  },
  {
    name: 'a damaged launch plan',
    touches: '/var/lib/berth/web.0/launch.plan',
    damage: () => {
      const plan = readFileSync(at('/var/lib/berth/web/launch.plan'));
      plan[plan.length - 9] = (plan.at(-9) ?? 0) ^ 1;
      writeFileSync(at('/var/lib/berth/web/launch.plan'), plan);
    },
    area: 'plan',
    problem: /checksum/,
  },
  {
    name: 'a launch plan that others may write',
    touches: '/var/lib/berth/web.0/launch.plan',
    damage: () => {
      chmodSync(at('/var/lib/berth/web/launch.plan'), 0o666);
    },
    area: 'plan',
    problem: /others/,
  },
  {
    name: 'a launch plan of nothing',
    touches: '/var/lib/berth/web.0/launch.plan',
    damage: () => {
      writeFileSync(at('/var/lib/berth/web/launch.plan'), '');
    },
    area: 'plan',
    problem: /no launch plan/,
  },
  {
    name: 'a launcher that is gone',
    touches: '/var/lib/berth/.launch',
    damage: () => {
      rmSync(at('/var/lib/berth/.launch'), { recursive: true });
    },
    area: 'launcher',
    problem: /not there/,
  },
  {
    name: 'a launcher that was exchanged',
    touches: '/var/lib/berth/.launch',
    damage: () => {
      const [digest = ''] = readdirSync(at('/var/lib/berth/.launch')).filter((x) => x !== '.lock');
      appendFileSync(at(`/var/lib/berth/.launch/${digest}/berth-launch`), 'x');
    },
    area: 'launcher',
    problem: /content/,
  },
  {
    name: 'a text of the deployment that was changed',
    touches: '/var/lib/berth/web.0/web.service',
    damage: () => {
      appendFileSync(at('/var/lib/berth/web/web.service'), 'Nice=1\n');
    },
    area: 'record',
    problem: /not what was recorded/,
  },
  {
    name: 'a file of the root that was changed in place, and so in the store',
    touches: `/var/lib/berth/web.0/rootfs/etc/passwd`,
    damage: () => {
      const path = at(`${IN_ROOT}/etc/passwd`);
      const { mtime } = statSync(path);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.replace('root', 'toor'));
      utimesSync(path, mtime, mtime);
    },
    area: 'rootfs',
    problem: /content/,
  },
  {
    name: 'a file of the root with another owner',
    touches: `/var/lib/berth/web.0/rootfs/probe`,
    damage: () => {
      chownSync(at(`${IN_ROOT}/probe`), 7, 7);
    },
    area: 'rootfs',
    problem: /owner/,
  },
  {
    name: 'a file of the root that is missing',
    touches: `/var/lib/berth/web.0/rootfs/empty`,
    damage: () => {
      rmSync(at(`${IN_ROOT}/empty`));
    },
    area: 'rootfs',
    problem: /missing/,
  },
  {
    name: 'a link of the root that leads elsewhere',
    touches: `/var/lib/berth/web.0/rootfs/etc`,
    damage: () => {
      rmSync(at(`${IN_ROOT}/etc/link`));
      symlinkSync('/etc/shadow', at(`${IN_ROOT}/etc/link`));
    },
    area: 'rootfs',
    problem: /target/,
  },
  {
    name: 'a file too many in the root',
    touches: `/var/lib/berth/web.0/rootfs/etc`,
    damage: () => {
      mkdirSync(at(`${IN_ROOT}/etc/new`));
      writeFileSync(at(`${IN_ROOT}/etc/new/file`), 'x');
    },
    area: 'rootfs',
    problem: /nothing of that name/,
  },
  {
    name: 'a damaged image record',
    touches: '/var/lib/berth/.store/images',
    damage: () => {
      const folder = at('/var/lib/berth/.store/images');
      for (const name of readdirSync(folder)) writeFileSync(`${folder}/${name}`, '{');
    },
    area: 'image',
    problem: /damaged in the store/,
    status: 0,
  },
];

for (const { name, touches, damage, area, problem, status } of rows) {
  test(`berth verify tells: ${name}`, async () => {
    const restore = keep(touches);
    try {
      damage();
      const report = await verify();
      const all = JSON.stringify(report.findings, null, 1);
      assert.equal(report.status, status ?? 1, all);
      assert.ok(
        report.findings.some((one) => one.area === area && problem.test(one.problem)),
        all,
      );
    } finally {
      restore();
    }
  });
}

test('berth verify looks at the files of each container, though several share them', async () => {
  using shared = new BerthInTree();
  const image = shared.makeImage('many', [
    { path: 'bin/' },
    { path: 'bin/program', content: 'program', mode: 0o755 },
    { path: 'bin/other', content: 'other', mode: 0o755 },
  ]);
  for (const name of ['a', 'b', 'c']) await shared.runOk('install', '--name', name, image);
  const programOf = (name: string): string =>
    `${shared.path}/var/lib/berth/${name}/rootfs/bin/program`;
  assert.equal(statSync(programOf('a')).ino, statSync(programOf('b')).ino);
  const { mode, mtime } = statSync(programOf('b'));
  // Of one the file alone is another one, of the same size and time.
  rmSync(programOf('b'));
  writeFileSync(programOf('b'), 'PROGRAM', { mode });
  utimesSync(programOf('b'), mtime, mtime);
  const drifted = async (): Promise<readonly string[]> => {
    const { stdout } = await shared.run('--json', 'verify');
    const reports = JSON.parse(stdout) as { name: string; findings: Finding[] }[];
    return reports.flatMap(({ name, findings }) =>
      findings
        .filter(({ path }) => path?.endsWith('/program') === true)
        .map(({ problem }) => `${name}: ${problem}`),
    );
  };
  assert.deepEqual(await drifted(), ['b: it is not as the image has it: content']);
  // The file that the others share is changed in its place, in a way that its time does not tell.
  appendFileSync(programOf('c'), '!');
  truncateSync(programOf('c'), 0);
  appendFileSync(programOf('c'), 'Program');
  utimesSync(programOf('c'), mtime, mtime);
  assert.deepEqual(
    await drifted(),
    ['a', 'b', 'c'].map((name) => `${name}: it is not as the image has it: content`),
  );
});

test('berth verify reports a damaged record, and goes on with the others', async () => {
  const restore = keep('/var/lib/berth/web.0/deployment.json');
  writeFileSync(at('/var/lib/berth/web.0/deployment.json'), '{"format": 2');
  const all = await tree.run('verify');
  assert.equal(all.status, 1);
  assert.match(all.stdout, /^web: 1 thing drifted\n {2}! \[record\] .*damaged/);
  assert.equal((await tree.run('verify', 'web')).status, 65);
  restore();
});

test('berth verify of a name that is not installed says so', async () => {
  const unknown = await tree.run('verify', 'webb');
  assert.equal(unknown.status, 66);
  assert.match(unknown.stderr, /did you mean 'web'/);
});
