import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseContainerName } from '../../../src/base/container-name.js';
import { checkUnit, lintUnit } from '../../../src/systemd/check-unit.js';
import { parseUnit } from '../../../src/systemd/unit-text.js';
import type { UnitProblem } from '../../../src/systemd/unit-problem.js';
import { each } from '../../support/each.js';

const name = parseContainerName('etcd');
const command = '/usr/libexec/berth/launch /var/lib/berth/etcd/launch.plan';
const START = `[Service]\nExecStart=${command}\n`;

function check(text: string, systemdVersion?: number): readonly string[] {
  return lintUnit(parseUnit(text), { name, command, systemdVersion }).map(
    ({ severity, line, message }: UnitProblem) => `${severity} ${line}: ${message}`,
  );
}

// The shapes of published images: nothing here may be refused.
each<{ name: string; text: string; want: readonly string[] }>(
  'checkUnit() takes',
  [
    {
      name: 'a plain service',
      text: `[Unit]\nDescription=Etcd Server\nAfter=network.target\n\n${START}ExecStop=\nRestart=on-failure\nWorkingDirectory=/var/lib/berth/etcd\nRuntimeDirectory=etcd\n\n[Install]\nWantedBy=multi-user.target\n`,
      want: [],
    },
    {
      name: 'Restart=on-crash, which systemd passes over',
      text: `${START}Restart=on-crash\n`,
      want: [
        "warning 3: Restart= expects one of no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always, got 'on-crash'",
      ],
    },
    {
      name: 'what units of another one order and need',
      text: `[Unit]\nBefore=docker.service\nWants=network-online.target\n${START}Type=notify\nNotifyAccess=all\n[Install]\nWantedBy=multi-user.target\nRequiredBy=docker.service\n`,
      want: ['notice 10: docker.service will not start without it (RequiredBy=)'],
    },
    {
      name: 'a command on the host, and says so',
      text: `${START}ExecStartPre=/bin/bash -c 'export -p > /run/docker-bash-env'\n`,
      want: [
        "notice 3: runs on the host (ExecStartPre=): '/bin/bash -c 'export -p > /run/docker-bash-env''",
      ],
    },
    {
      name: 'folders of programs, which are no commands',
      text: `${START}ExecPaths=/usr/ -/opt/x/\nExecSearchPath=usr/bin/:/bin\n`,
      want: [],
    },
    {
      name: 'old spellings',
      text: `${START}StartLimitInterval=0\nRestartSec=10\nLimitNOFILE=1048576\nTimeoutStartSec=0\nSELinuxContext=system_u:system_r:container_runtime_t:s0\nMemoryLimit=1G\nCPUShares=2\n`,
      want: [],
    },
    {
      name: 'a directive in the wrong section, with a warning',
      text: `${START}StartLimitIntervalSec=0\n`,
      want: [
        'warning 3: StartLimitIntervalSec= belongs into [Unit], systemd passes over it in [Service]',
      ],
    },
    {
      name: 'what systemd knew once',
      text: `${START}Capabilities=all=ep\nSysVStartPriority=5\n`,
      want: [
        'warning 3: systemd no longer knows Capabilities= and passes over it',
        'warning 4: systemd no longer knows SysVStartPriority= and passes over it',
      ],
    },
    {
      name: 'a target that would fail with it, with a warning',
      text: `${START}[Install]\nRequiredBy=multi-user.target\n`,
      want: ['warning 4: RequiredBy=multi-user.target: when it fails, so does multi-user.target'],
    },
    { name: 'extensions', text: `${START}X-Mine=1\n[X-Other]\nanything=1\n`, want: [] },
    {
      name: 'time spans',
      text: `${START}TimeoutStopSec=1min 30s\nRestartSec=500ms\nWatchdogSec=1.5h\nTimeoutStartSec=infinity\n`,
      want: [],
    },
    {
      name: 'an alias and a socket of its own',
      text: `${START}[Install]\nAlias=etcd.service\nAlso=etcd.socket\n`,
      want: [],
    },
    {
      name: 'a oneshot service that only stops something',
      text: '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=%h/x\n',
      want: ["notice 4: runs on the host (ExecStop=): '%h/x'"],
    },
  ],
  ({ text, want }) => {
    assert.deepEqual(check(text), want);
  },
);

test('checkUnit() warns of directives that the systemd of the host does not know yet', () => {
  assert.deepEqual(check(`${START}PrivatePIDs=yes\n`, 257), []);
  assert.deepEqual(check(`${START}PrivatePIDs=yes\n`, 252), [
    'warning 3: PrivatePIDs= may be newer than systemd 252, which then passes over it',
  ]);
});

test('checkUnit() leaves directives that it does not know to a systemd that is newer than its lists', () => {
  assert.deepEqual(check(`${START}MemoryMux=1\n`, 262), [
    "error 3: there is no directive 'MemoryMux' in [Service]; did you mean MemoryMax=?",
  ]);
  assert.deepEqual(check(`${START}MemoryMux=1\n`, 263), [
    "warning 3: berth knows no directive 'MemoryMux' in [Service]; did you mean MemoryMax=?; systemd 263 may",
  ]);
});

test('checkUnit() gives warnings and notices of a unit that it takes', () => {
  const text = `${START}Restart=on-crash\nEnvironmentFile=/etc/x\n`;
  assert.deepEqual(checkUnit(parseUnit(text), { name, command }), {
    warnings: [
      "line 3: Restart= expects one of no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always, got 'on-crash'",
    ],
    notices: ["line 4: takes environment variables from '/etc/x'"],
  });
});
