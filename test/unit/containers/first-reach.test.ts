import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseContainerName } from '../../../src/base/container-name.js';
import { firstReach, newReach } from '../../../src/containers/loosened-directives.js';
import { parseUnit } from '../../../src/systemd/unit-text.js';

const name = parseContainerName('web');

test('firstReach() tells all of a unit that an update would ask about, and nothing of what is usual', () => {
  const lines = [
    'Wants=poweroff.target',
    'TTYPath=/dev/tty1',
    'StandardInput=tty-force',
    'PAMName=login',
    'NetworkNamespacePath=/run/netns/x',
    'ExtensionImages=/srv/x.raw',
    'MountImages=/srv/x.raw:/opt',
    'BPFProgram=device:/sys/fs/bpf/x',
    'BPFDelegateCommands=any',
    'NFTSet=cgroup:inet:filter:allowed',
    'KeyringMode=shared',
    'RemoveIPC=yes',
    'SELinuxContext=unconfined_u:unconfined_r:unconfined_t:s0',
    'StateDirectory=other',
  ];
  const usual = [
    'Wants=network-online.target',
    'StateDirectory=web',
    'RemoveIPC=no',
    'KeyringMode=private',
    'StandardInput=null',
    'RequiredBy=docker.service', // told by the linter
  ];
  const document = parseUnit(`[Service]\n${[...lines, ...usual].join('\n')}\n`);
  const told = firstReach(document, name);
  assert.equal(told.length, lines.length, told.join('\n'));
  const asked = newReach(parseUnit('[Service]\n'), document, { name, runsOnHost: false });
  assert.deepEqual(
    told,
    asked.filter((words) => !words.endsWith('(RequiredBy=)')),
  );
  assert.equal(told[0], "starts 'poweroff.target' (Wants=)");
});
