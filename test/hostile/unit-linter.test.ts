import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseContainerName } from '../../src/base/container-name.js';
import { checkUnit, lintUnit } from '../../src/systemd/check-unit.js';
import { parseUnit } from '../../src/systemd/unit-text.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';

// Units as an image may bring them. systemd-analyze is the positive control: where a row says so, it lets the unit pass.

const name = parseContainerName('evil');
const START = '[Service]\nExecStart=/bin/true\n';

interface Row {
  readonly name: string;
  readonly text: string;
  readonly problem: RegExp;
  /** Whether `systemd-analyze verify` exits with 0 for it: nothing but the linter stands before the host then. */
  readonly analyzePasses: boolean;
}

const rows: readonly Row[] = [
  {
    name: 'P17 User=0day',
    text: `${START}User=0day\n`,
    problem: /User= expects/,
    analyzePasses: true,
  },
  {
    name: 'P17 Type=bogus',
    text: `${START}Type=bogus\n`,
    problem: /Type= expects/,
    analyzePasses: true,
  },
  {
    name: 'P17 a misspelt key',
    text: `${START}WorkingDirectorry=/\n`,
    problem: /did you mean WorkingDirectory=/,
    analyzePasses: true,
  },
  {
    name: 'P17 an unknown section',
    text: `${START}[Servcie]\nUser=x\n`,
    problem: /is no section/,
    analyzePasses: true,
  },
  {
    name: 'P17 a section of another type',
    text: `${START}[Socket]\nListenStream=1\n`,
    problem: /is no section/,
    analyzePasses: true,
  },
  {
    name: 'P17 a line that is nothing',
    text: `${START}hello\n`,
    problem: /neither a section nor a directive/,
    analyzePasses: true,
  },
  {
    name: 'P17 a directive before any section',
    text: `User=x\n${START}`,
    problem: /before the first section/,
    analyzePasses: true,
  },
  {
    name: 'P17 a broken section header',
    text: `${START}[Install\n`,
    problem: /neither a section/,
    analyzePasses: false,
  },
  {
    name: 'P18 no ExecStart',
    text: '[Service]\nType=simple\n',
    problem: /runs nothing: it has no ExecStart/,
    analyzePasses: false,
  },
  {
    name: 'P18 a reset at the end',
    text: `${START}ExecStart=\n`,
    problem: /forgets the others/,
    analyzePasses: false,
  },
  {
    name: 'P18 a relative program',
    text: '[Service]\nExecStart=bin/true\n',
    problem: /not an absolute path/,
    analyzePasses: false,
  },
  {
    name: 'P18 two programs at once',
    text: `${START}ExecStart=/bin/false\n`,
    problem: /needs Type=oneshot/,
    analyzePasses: false,
  },
  {
    name: 'P03 an unknown specifier in a command',
    text: '[Service]\nExecStart=/bin/echo 100%% %Q\n',
    problem: /'%Q', which is no specifier/,
    analyzePasses: false,
  },
  {
    name: 'P19 the name of sshd',
    text: `${START}[Install]\nAlias=sshd.service dbus.service\n`,
    problem: /take the name of another unit/,
    analyzePasses: true,
  },
  {
    name: 'P19 other units along with it',
    text: `${START}[Install]\nAlso=debug-shell.service\n`,
    problem: /enable another unit/,
    analyzePasses: true,
  },
  {
    name: 'P19 a place early in the boot',
    text: `${START}[Install]\nWantedBy=sysinit.target\n`,
    problem: /the host depends on/,
    analyzePasses: true,
  },
  {
    name: 'P19 what nobody could stop',
    text: `[Unit]\nRefuseManualStop=yes\n${START}`,
    problem: /line 2: RefuseManualStop=yes: nobody could stop it/,
    analyzePasses: true,
  },
  {
    name: 'P19 a requirement of the bus',
    text: `${START}[Install]\nRequiredBy=dbus.service\n`,
    problem: /the host depends on/,
    analyzePasses: true,
  },
  {
    name: 'P19 a requirement of the journal',
    text: `${START}[Install]\nRequiredBy=systemd-journald.service\n`,
    problem: /the host depends on/,
    analyzePasses: true,
  },
  {
    name: 'P19 a requirement of the root file system',
    text: `${START}[Install]\nRequiredBy=-.mount\n`,
    problem: /the host depends on/,
    analyzePasses: true,
  },
  {
    name: 'P19 a path for a name',
    text: `${START}[Install]\nWantedBy=../../../evil.target\n`,
    problem: /names no unit/,
    analyzePasses: true,
  },
  {
    name: 'P32 a line of 1 MiB',
    text: `[Unit]\nDescription=${'x'.repeat(1_048_576)}\n${START}`,
    problem: /longer than 1 MiB/,
    analyzePasses: false,
  },
  {
    name: 'P32 more than 1 MiB',
    text: `[Unit]\n${`Description=${'x'.repeat(1000)}\n`.repeat(1100)}${START}`,
    problem: /1 MiB/,
    analyzePasses: true,
  },
  {
    name: 'P32 too many lines',
    text: `${START}${'\n'.repeat(10_001)}`,
    problem: /lines/,
    analyzePasses: true,
  },
  {
    name: 'a control character',
    text: `[Unit]\nDescription=a\u001b[2J\n${START}`,
    problem: /control character/,
    analyzePasses: true,
  },
  {
    name: 'a carriage return, a line end for systemd',
    text: `[Unit]\nDescription=a\rWants=evil.service\n${START}`,
    problem: /control character/,
    analyzePasses: true,
  },
];

each('the unit linter refuses', rows, async ({ text, problem }) => {
  const error = await assertFails('UNIT_INVALID', () => checkUnit(parseUnit(text), { name }));
  assert.match(error.message, problem);
});

each('P17–P19 and P32: systemd-analyze verify alone', rows, ({ text, analyzePasses }) => {
  using directory = new TempDir();
  writeFileSync(`${directory.path}/evil.service`, text);
  const { status } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', `${directory.path}/evil.service`],
    {
      stdio: 'pipe',
      env: { ...process.env, SYSTEMD_LOG_LEVEL: 'err' },
    },
  );
  assert.equal(
    status === 0,
    analyzePasses,
    'systemd-analyze judges this unit otherwise than the table says',
  );
});

each(
  'P21 the unit linter shows',
  [
    {
      name: 'a command with all privileges',
      text: `${START}ExecStartPre=+/rootfs/bin/x\n`,
      want: /runs on the host with all privileges/,
    },
    {
      name: 'a command of the image on the host',
      text: `${START}ExecStartPre=/var/lib/berth/x/rootfs/bin/x\n`,
      want: /runs on the host/,
    },
    {
      name: 'a program that only looks like the launcher',
      text: '[Service]\nExecStart=/tmp/launch-evil /x\n',
      want: /runs on the host/,
    },
    {
      name: 'the launcher on another plan',
      text: '[Service]\nExecStart=/tmp/launch /y\n',
      want: /runs on the host/,
    },
    {
      name: 'another command behind that of the container',
      text: '[Service]\nExecStart=/tmp/launch /x ; /bin/sh -c x\n',
      want: /runs on the host/,
    },
    { name: 'another root', text: `${START}RootDirectory=/\n`, want: /below '\/'/ },
    {
      name: 'a library to load',
      text: `${START}Environment=A=1 LD_PRELOAD=/x.so\n`,
      want: /what code is loaded/,
    },
    {
      name: 'variables of the manager',
      text: `${START}PassEnvironment=SECRET\n`,
      want: /variables of the service manager/,
    },
    {
      name: 'a reboot of the host',
      text: `[Unit]\nFailureAction=reboot-force\n${START}`,
      want: /make the host do this/,
    },
    {
      name: 'a start before the others',
      text: `[Unit]\nDefaultDependencies=no\n${START}`,
      want: /early in the boot/,
    },
    {
      name: 'a conflict with another unit',
      text: `[Unit]\nConflicts=sshd.service\n${START}`,
      want: /affects other units/,
    },
    {
      name: 'sockets of other units',
      text: `${START}Sockets=evil.socket docker.socket\n`,
      want: /^is given sockets of other units: 'evil\.socket docker\.socket'$/,
    },
  ],
  ({ text, want }) => {
    const notices = lintUnit(parseUnit(text), { name, command: '/tmp/launch /x' })
      .filter(({ severity }) => severity === 'notice')
      .map(({ message }) => message);
    assert.ok(
      notices.some((message) => want.test(message)),
      notices.join('\n'),
    );
  },
);

test('its own socket is nothing to be told of', () => {
  const text = '[Service]\nExecStart=/tmp/launch /x\nSockets=evil.socket %N.socket\nSockets=\n';
  assert.deepEqual(lintUnit(parseUnit(text), { name, command: '/tmp/launch /x' }), []);
});

test('P31 what a unit says cannot write on the terminal', async () => {
  const error = await assertFails('UNIT_INVALID', () =>
    checkUnit(parseUnit(`${START}Evil\u202e\u001b[2J=1\n`), { name }),
  );
  assert.doesNotMatch(error.message, /[\u001b\u202e]/);
});

test('the table above was judged by a systemd-analyze that is there', () => {
  assert.match(
    execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' }),
    /^systemd \d+/,
  );
});

test('P19 a name that an image has a say in names no unit that the host needs', () => {
  for (const [of, starter] of [
    ['sysinit', '%p.target'],
    ['basic', '%N.target'],
    ['kube-sysinit', '%j.target'],
    ['sysinit@', '%p.target'],
    ['web', 'systemd-%n'],
  ] as const) {
    const found = lintUnit(parseUnit(`${START}[Install]\nWantedBy=${starter}\n`), {
      name: parseContainerName(of),
    });
    assert.match(found.map(({ message }) => message).join(), /the host depends on that unit/, of);
  }
  const own = parseUnit(`${START}[Install]\nWantedBy=%p.target %n.wants.target\n`);
  assert.ok(lintUnit(own, { name }).every(({ severity }) => severity !== 'error'));
});
