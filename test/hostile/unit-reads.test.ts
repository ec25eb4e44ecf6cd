import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseContainerName } from '../../src/base/container-name.js';
import { assertUnitReads } from '../../src/containers/unit-reads.js';
import { parseUnit } from '../../src/systemd/unit-text.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { folderHost } from '../support/folder-host.js';
import { TempDir } from '../support/temp-dir.js';
import { valuesOf } from '../support/template-values.js';

// What systemd reads, as root, for a service: files of the host that its container has no right to.

interface Attempt {
  /** Lines of [Service]. */
  readonly text: string;
  readonly container?: string;
  readonly allowHostPaths?: readonly string[];
}

/** Files of the host by their modes; a path for where a link leads. */
const FILES: Readonly<Record<string, number | string>> = {
  'etc/shadow': 0o600,
  'etc/environment': 0o644,
  'etc/default/other': 0o600,
  'etc/default/web': 0o600,
  'etc/default/led': '../shadow',
  'etc/web/led': '../shadow',
  'etc/web/key': 0o600,
  'etc/kubernetes/config': 0o644,
  'etc/credstore/other.key': 0o644,
  'run/flannel/docker': 0o644,
  'srv/closed/open': 0o644,
  'var/lib/berth/other.0/credentials/PASSWORD': 0o600,
};

async function check({ text, container = 'web', allowHostPaths = [] }: Attempt): Promise<void> {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  for (const [path, content] of Object.entries(FILES)) {
    const place = join(dir.path, path);
    mkdirSync(join(place, '..'), { recursive: true });
    if (typeof content === 'string') symlinkSync(content, place);
    else writeFileSync(place, 'A=1\n', { mode: content });
  }
  chmodSync(join(dir.path, 'srv/closed'), 0o700);
  await assertUnitReads(host, {
    name: parseContainerName(container),
    unit: `${container}.service`,
    document: parseUnit(`[Service]\n${text}`),
    values: valuesOf({ DESTDIR: `/var/lib/berth/${container}` }),
    allowHostPaths,
  });
}

interface Row extends Attempt {
  readonly name: string;
  readonly message: RegExp;
}

each<Row>(
  'H02 a service is refused that would have systemd read',
  [
    {
      name: 'the passwords of the host as variables',
      text: 'EnvironmentFile=-/etc/shadow\n',
      message:
        /^web\.service would have '\/etc\/shadow' read by systemd for it \(EnvironmentFile=\), refusing: it is no file that everybody may read, and \/etc\/shadow decides/,
    },
    {
      name: 'them with more slashes',
      text: 'EnvironmentFile=/etc//./shadow\n',
      message: /'\/etc\/shadow' read/,
    },
    {
      name: 'them by a way back',
      text: 'EnvironmentFile=/etc/web/../shadow\n',
      message: /it has '\.\.' in it/,
    },
    {
      name: 'them by a wildcard',
      text: 'EnvironmentFile=/etc/s?adow\n',
      message: /it has not the container's name/,
    },
    {
      name: 'them by a wildcard that begins with its name',
      text: 'EnvironmentFile=/etc/web*\n',
      message: /it has not the container's name/,
    },
    {
      name: 'them through a link in a place of its own',
      text: 'EnvironmentFile=/etc/web/led\n',
      message: /and \/etc\/shadow decides/,
    },
    {
      name: 'them through a link elsewhere',
      text: 'EnvironmentFile=-/etc/default/led\n',
      message: /and \/etc\/shadow decides/,
    },
    {
      name: 'them where its name is theirs',
      text: 'EnvironmentFile=-/etc/shadow\n',
      container: 'shadow',
      message: /and \/etc\/shadow decides/,
    },
    {
      name: 'variables of another, which only root may read',
      text: 'EnvironmentFile=-/etc/default/other\n',
      message: /it has not the container's name, and is no file that everybody may read/,
    },
    {
      name: 'variables in a folder that is closed',
      text: 'EnvironmentFile=-/srv/closed/open\n',
      message: /everybody may read/,
    },
    {
      name: 'variables of root that are not there yet',
      text: 'EnvironmentFile=-/root/secrets.env\n',
      message: /and \/root is not a place for files of an image/,
    },
    {
      name: 'the passwords of the host as a credential',
      text: 'LoadCredential=x:/etc/shadow\n',
      message: /'\/etc\/shadow' read by systemd for it \(LoadCredential=\)/,
    },
    {
      name: 'a credential that is not there yet, of no name of its own',
      text: 'LoadCredential=x:/etc/other.key\n',
      message: /it has not the container's name/,
    },
    {
      name: 'a whole folder as credentials',
      text: 'LoadCredential=x:/etc/kubernetes\n',
      message: /it has not the container's name/,
    },
    {
      name: 'the secret of another container',
      text: 'LoadCredentialEncrypted=x:/var/lib/berth/other.0/credentials/PASSWORD\n',
      message: /\/var\/lib\/berth belongs to berth/,
    },
    {
      name: 'a credential through a link of its image',
      text: 'LoadCredential=x:/var/lib/berth/web/rootfs/link\n',
      message: /its image could have a link there, or a FIFO/,
    },
    {
      name: 'variables from a FIFO of its image, for which systemd would wait for ever',
      text: 'EnvironmentFile=-/var/lib/berth/web/rootfs/fifo\n',
      message: /its image could have a link there, or a FIFO/,
    },
    {
      name: "a credential of the host's store by the name of another",
      text: 'LoadCredential=other.key\n',
      message: /'\/etc\/credstore\/other\.key' read/,
    },
    {
      name: "one of the host's store by another name than it gets",
      text: 'LoadCredentialEncrypted=web.key:other.key\n',
      message: /'\/etc\/credstore\/other\.key' read by systemd for it \(LoadCredentialEncrypted=\)/,
    },
    {
      name: 'all credentials of the host',
      text: 'ImportCredential=*\n',
      message: /'\/etc\/credstore\/\*' read by systemd for it \(ImportCredential=\)/,
    },
    {
      name: 'credentials that only begin as its own do',
      text: 'ImportCredential=web*:web.\n',
      message: /'\/etc\/credstore\/web\*'/,
    },
  ],
  async ({ message, ...attempt }) => {
    const error = await assertFails('HOST_PATH_REFUSED', () => check(attempt));
    assert.match(error.message, message);
    assert.match(error.hint ?? '', /^allow it with '--allow-host-path \//);
  },
);

test('what has its name, is for everybody, may yet be made, or is allowed, systemd may read', async () => {
  await check({
    text: `EnvironmentFile=-/etc/default/web
EnvironmentFile=-/etc/sysconfig/web
EnvironmentFile=-/etc/sysconfig/web-options
EnvironmentFile=-/etc/web/*.env
EnvironmentFile=/etc/kubernetes/config
EnvironmentFile=-/run/flannel/docker
EnvironmentFile=-/run/other/not-there
EnvironmentFile=-/etc/environment
EnvironmentFile=not-absolute
EnvironmentFile=
LoadCredential=key:/etc/web/key
LoadCredential=hosts:/etc/kubernetes/config
LoadCredential=web.key
LoadCredentialEncrypted=key:web.key
ImportCredential=web.*
SetCredential=word:of-mouth
SetCredentialEncrypted=word:DHzAexF2RZGcSwvqCLwg
`,
  });
  await check({ text: 'EnvironmentFile=-/etc/default/web\n', container: 'web@' });
  await check({
    text: 'EnvironmentFile=/etc/shadow\nLoadCredential=a:/etc/shadow\nLoadCredential=other.key\nImportCredential=*\n',
    allowHostPaths: ['/etc/shadow', '/etc/credstore'],
  });
});
