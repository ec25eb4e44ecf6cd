import assert from 'node:assert/strict';

import { gainedPermissions } from '../../../src/containers/gained-permissions.js';
import { each } from '../../support/each.js';
import { LAUNCHER, bind, mounts, side, type Sketch } from '../../support/permitted-sketch.js';

// What the author of a hostile next version would do so that nobody sees it.

each(
  'gainedPermissions() does not miss',
  [
    {
      name: 'one whom root could not become',
      before: { record: { capabilities: ['CAP_SETGID'] } },
      after: { record: { user: 'uid 33, gid 6' } },
      want: ['runs as uid 33, gid 6'],
    },
    {
      name: 'another command behind that of the container, and the launcher on another plan',
      before: {},
      after: { unit: `ExecStartPre=${LAUNCHER} x ; /bin/sh\nExecStop=${LAUNCHER} /srv/a/plan\n` },
      want: [
        `the unit runs on the host (ExecStartPre=): '${LAUNCHER} x ; /bin/sh'`,
        `the unit runs on the host (ExecStop=): '${LAUNCHER} /srv/a/plan'`,
      ],
    },
    {
      name: 'files, folders, rights and units of the host that the unit gets at',
      before: { unit: 'StandardOutput=journal\n[Unit]\nWants=network-online.target\n' },
      after: {
        unit: 'StandardOutput=append:/etc/x\nOpenFile=/etc/shadow\nStateDirectory=web docker\nRuntimeDirectory=web web/a\n[Unit]\nWants=time-sync.target debug-shell.service\n',
      },
      want: [
        "the unit has StandardOutput='append:/etc/x'",
        "the unit has OpenFile='/etc/shadow'",
        "the unit has StateDirectory='web docker'",
        "the unit starts 'debug-shell.service' (Wants=)",
      ],
    },
    {
      name: 'a group that its commands on the host are in',
      before: { unit: 'User=nobody\nExecStartPre=/bin/x\n' },
      after: { unit: 'User=nobody\nGroup=shadow\nExecStartPre=/bin/x\n' },
      want: ["the unit has Group='shadow' in place of ''"],
    },
    {
      name: 'commands that are root’s again, and outside of its root',
      before: { unit: 'User=nobody\nRootDirectory=/srv/x\nExecStartPre=/bin/x\n' },
      after: {
        unit: 'User=nobody\nRootDirectory=/srv/x\nExecStartPre=/bin/x\nPermissionsStartOnly=yes\nRootDirectoryStartOnly=1\n',
      },
      want: ["the unit has PermissionsStartOnly='yes'", "the unit has RootDirectoryStartOnly='1'"],
    },
    {
      name: 'what its commands on the host read',
      before: { unit: 'ExecStartPre=/bin/sh\nStandardInput=data\nStandardInputText=true\n' },
      after: { unit: 'ExecStartPre=/bin/sh\nStandardInput=data\nStandardInputText=rm -rf /srv\n' },
      want: ["the unit has StandardInputText='rm -rf /srv' for its commands on the host"],
    },
    {
      name: 'exceptions of what keeps the service from something',
      before: {
        unit: 'ProtectSystem=strict\nNoExecPaths=/\nIPAddressDeny=any\nSocketBindDeny=any\n',
      },
      after: {
        unit: 'ProtectSystem=strict\nNoExecPaths=/\nIPAddressDeny=any\nSocketBindDeny=any\nReadWritePaths=/etc\nExecPaths=/usr/\nIPAddressAllow=any\nSocketBindAllow=80\n',
      },
      want: [
        "the unit has ReadWritePaths='/etc'",
        "the unit has ExecPaths='/usr/'",
        "the unit has IPAddressAllow='any'",
        "the unit has SocketBindAllow='80'",
      ],
    },
    {
      name: 'keys of root, mounts that reach the host, units that wait for it, a link in the place of others',
      before: { unit: 'KeyringMode=private\n[Install]\nRequiredBy=a.service\n' },
      after: {
        unit: 'KeyringMode=shared\nMountFlags=shared\nStateDirectory=web/x:docker\n[Install]\nRequiredBy=a.service b.service\n',
      },
      want: [
        "the unit has KeyringMode='shared'",
        "the unit has MountFlags='shared'",
        "the unit has StateDirectory='web/x:docker'",
        "the unit keeps 'b.service' from starting where it fails (RequiredBy=)",
      ],
    },
    {
      name: 'nothing of a unit that was started before, in other words',
      before: { unit: '[Unit]\nWants=a.service b.service\n' },
      after: { unit: '[Unit]\nRequires=b.service\n' },
      want: [],
    },
    {
      name: 'a program of its own that the unit runs on the host, with another content',
      before: { unit: 'ExecStartPre=-/usr/local/bin/web up\n', program: 'a' },
      after: { unit: 'ExecStartPre=-/usr/local/bin/web up\n', program: 'b' },
      want: ['the unit goes by /usr/local/bin/web on the host, which is another file now'],
    },
    {
      name: 'nothing of a program that the unit does not run',
      before: { program: 'a' },
      after: { program: 'b' },
      want: [],
    },
    {
      name: 'variables that its commands on the host go by, not those of the container alone',
      before: { unit: 'ExecStartPre=/bin/sh -c ${A}\nEnvironment=A=true\n' },
      after: { unit: 'ExecStartPre=/bin/sh -c ${A}\nEnvironment=A=evil\n' },
      want: ["the unit has Environment='A=evil' for its commands on the host"],
    },
    {
      name: 'nothing of variables where nothing runs on the host',
      before: { unit: 'Environment=A=1\n' },
      after: { unit: 'Environment=A=2\n' },
      want: [],
    },
    {
      name: 'what kept the service from something and does no longer',
      before: { unit: 'PrivateNetwork=yes\nCapabilityBoundingSet=CAP_KILL\nProtectHome=yes\n' },
      after: { unit: 'PrivateNetwork=yes\nPrivateNetwork=no\nProtectHome=yes\nPrivateTmp=yes\n' },
      want: [
        "the unit has PrivateNetwork='yes no' in place of 'yes'",
        "the unit no longer has CapabilityBoundingSet='CAP_KILL'",
      ],
    },
    {
      name: 'a folder that is bound and emptied',
      before: mounts(bind('/srv/state', ['ro'])),
      after: {
        ...mounts(bind('/srv/state', ['ro'])),
        tmpfiles: 'd /srv/state 0755 root root 1d\n',
      },
      want: ['tmpfiles line d /srv/state 0755 root root 1d'],
    },
    {
      name: 'a folder that is bound to be read, and opened to others on the host',
      before: mounts(bind('/srv/a', ['ro']), bind('/srv/b', ['ro']), bind('/srv/c', [])),
      after: {
        ...mounts(bind('/srv/a', ['ro']), bind('/srv/b', ['ro']), bind('/srv/c', [])),
        tmpfiles:
          'd /srv/a 0777\nd /srv/b 0700 web\nd /srv/b 2700 - -\nd /srv/c 0777\nd /srv/a\nd /srv/a 0700 root root\nd /srv/b :0755\n',
      },
      want: [
        'tmpfiles line d /srv/a 0777',
        'tmpfiles line d /srv/b 0700 web',
        'tmpfiles line d /srv/b 2700 - -',
      ],
    },
    {
      name: 'a second /proc, where nothing is masked',
      before: {},
      after: mounts(
        { destination: '/proc/', type: 'proc', source: 'proc' },
        { destination: '/p', type: 'proc', source: 'proc' },
      ),
      want: ['mount of proc proc at /p ()'],
    },
    {
      name: 'what is mounted below a folder',
      before: mounts({ ...bind('/srv/a', []), options: ['bind'] }),
      after: mounts(bind('/srv/a', [])),
      want: ['mount /srv/a at /x'],
    },
    {
      name: 'what is mounted below a folder and may be written now',
      before: mounts(bind('/srv/a', ['rro'])),
      after: mounts(bind('/srv/a', ['ro'])),
      want: ['mount /srv/a at /x, read-only'],
    },
    {
      name: 'a mount that is made writable by the option that wins',
      before: mounts(bind('/srv/a', ['ro'])),
      after: mounts(bind('/srv/a', ['ro', 'rrw'])),
      want: ['mount /srv/a at /x (rrw)'],
    },
    {
      name: 'programs and devices of a mount that were kept away',
      before: mounts(bind('/srv/a', ['nosuid', 'nodev', 'noexec'])),
      after: mounts(bind('/srv/a', ['nosuid', 'nodev'])),
      want: ['mount /srv/a at /x (nosuid,nodev)'],
    },
    {
      name: 'what the host mounts later on',
      before: mounts(bind('/srv/a', [])),
      after: mounts(bind('/srv/a', ['rslave'])),
      want: ['mounts that the host makes below /srv/a reach the container'],
    },
    {
      name: 'nothing of mounts that the host does not get any more',
      before: mounts(bind('/srv/a', ['rshared'])),
      after: mounts(bind('/srv/a', ['rslave'])),
      want: [],
    },
  ] satisfies readonly {
    readonly name: string;
    readonly before: Sketch;
    readonly after: Sketch;
    readonly want: readonly string[];
  }[],
  ({ before, after, want }) => {
    assert.deepEqual(gainedPermissions(side(before), side(after)), want);
  },
);
