import { resolveHostPaths } from '../../../src/config/host-paths.js';
import { assertHostPathAllowed } from '../../../src/containers/host-path-policy.js';
import { hostPathPolicy } from '../../../src/containers/users-places.js';
import { assertNoDirectorySpecifiers } from '../../../src/containers/users-tmpfiles.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const paths = resolveHostPaths({
  mode: 'user',
  env: { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/1000', XDG_CONFIG_HOME: '/disk/config' },
});

each(
  'an image of a user has what is named after its container',
  [
    '/home/u/.local/state/berth/web/data',
    '/disk/config/berth/etc/web/web.conf',
    '/run/user/1000/berth-run/web',
  ].map((path) => ({ name: path, path })),
  ({ path }) => {
    assertHostPathAllowed(path, hostPathPolicy(paths, { name: 'web', allowed: [] }));
  },
);

each(
  'H02 an image of a user does not have',
  [
    { container: 'web', path: '/home/u/.bashrc' },
    { container: 'web', path: '/home/u/.local/share/systemd/user/web.service' },
    { container: 'web', path: '/disk/config/web/web.conf' },
    { container: 'web', path: '/disk/config/berth/berth.conf' },
    { container: 'web', path: '/home/u/.local/state/berth/other/data' },
    { container: 'web', path: '/disk/config/systemd/user/web.service' },
    { container: 'web', path: '/run/user/1000/systemd/user/ssh-agent.service.d/web.conf' },
    { container: 'systemd', path: '/disk/config/systemd/user/evil.service' },
    { container: 'systemd', path: '/run/user/1000/systemd/user/evil.service' },
    { container: 'autostart', path: '/disk/config/autostart/evil.desktop' },
    { container: 'dbus-1', path: '/home/u/.local/share/dbus-1/services/evil.service' },
  ].map((row) => ({ ...row, name: `${row.path} for ${row.container}` })),
  async ({ container, path }) => {
    const policy = hostPathPolicy(paths, { name: container, allowed: [] });
    await assertFails('HOST_PATH_REFUSED', () => {
      assertHostPathAllowed(path, policy);
    });
    assertHostPathAllowed(path, hostPathPolicy(paths, { name: container, allowed: [path] }));
  },
);

each(
  "tmpfiles of a user name no directory by systemd's own words",
  ['d %S/web', 'D! %t/web 0700', '  f "%C/web/a b" - - - - text', 'd /a\nd %L/web'].map((text) => ({
    name: text,
    text,
  })),
  async ({ text }) => {
    await assertFails('TMPFILES_INVALID', () => {
      assertNoDirectorySpecifiers(text);
    });
  },
);

each(
  'tmpfiles of a user may have',
  ['# d %S/web', 'd /home/u/%%Su', 'f /home/u/web - - - - 100%S', ''].map((text) => ({
    name: text,
    text,
  })),
  ({ text }) => {
    assertNoDirectorySpecifiers(text);
  },
);
