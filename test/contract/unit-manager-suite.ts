import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { OperationalError } from '../../src/errors/operational-error.js';
import type { UnitManager, UnitSummary } from '../../src/systemd/unit-manager.js';
import { assertFails } from '../support/assert-fails.js';

/** A unit manager and the disk that it works on. */
export interface UnitWorld {
  readonly manager: UnitManager;
  /** In front of the paths that the manager speaks of; `''` on a running host. */
  readonly root: string;
}

const UNIT_DIRECTORY = '/etc/systemd/system';
const SERVICE = '[Service]\nExecStart=/bin/sleep 1000\n';

/**
 * What holds for every {@link UnitManager}, on a tree and on a running systemd alike. Each case has units of its own, so
 * they may share a world.
 */
export function testUnitManager(title: string, open: () => Promise<UnitWorld>): void {
  const run = (name: string, body: (world: UnitWorld) => Promise<void>): void => {
    test(`${title}: ${name}`, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.manager[Symbol.asyncDispose]();
      }
    });
  };

  run('findUnitFile() knows nothing of a unit that is not there', async ({ manager }) => {
    assert.equal(await manager.findUnitFile('contract-none.service'), undefined);
    assert.equal(await manager.findUnitFile('contract-none@.service'), undefined);
    assert.equal(await manager.findUnitFile('contract-none@1.service'), undefined);
  });

  run('findUnitFolders() has those of the administrator and of the vendor', async ({ manager }) => {
    const folders = await manager.findUnitFolders();
    for (const folder of ['/etc/systemd/system', '/usr/lib/systemd/system'])
      assert.ok(folders.includes(folder), folders.join(' '));
  });

  run('findUnitFile() finds units of the vendor (N10)', async (world) => {
    write(world, {
      name: 'contract-vendor.service',
      text: SERVICE,
      directory: '/usr/lib/systemd/system',
    });
    await world.manager.reload();
    const found = await world.manager.findUnitFile('contract-vendor.service');
    assert.equal(found?.state, 'static');
    // systemd of bookworm knows /lib as a directory of its own.
    assert.match(found.path, /^(?:\/usr)?\/lib\/systemd\/system\/contract-vendor\.service$/);
  });

  run('findUnitFile() finds units of any name', async (world) => {
    write(world, { name: 'contract-t@.service', text: SERVICE });
    const odd = String.raw`0contract-_5f:1.2\x2dz.service`;
    write(world, { name: odd, text: SERVICE });
    await world.manager.reload();
    for (const unit of [odd, String.raw`contract-t@a_b\x2f-1.service`]) {
      const found = await world.manager.findUnitFile(unit);
      assert.equal(found?.state, 'static', unit);
      assert.equal(found.needDaemonReload, false);
    }
    await assert.rejects(world.manager.findUnitFile('contract nothing'), OperationalError);
  });

  run(
    'enable() makes the links of [Install], once, and disable() takes them away',
    async (world) => {
      const { manager } = world;
      write(world, {
        name: 'contract-a.service',
        text: `${SERVICE}[Install]\nWantedBy=multi-user.target\nRequiredBy=contract-x.service\nAlias=contract-b.service %p-c.service\n`,
      });
      await manager.reload();
      assert.equal((await manager.findUnitFile('contract-a.service'))?.state, 'disabled');
      const changes = await manager.enable(['contract-a.service']);
      const links = [
        'contract-a-c.service',
        'contract-b.service',
        'contract-x.service.requires/contract-a.service',
        'multi-user.target.wants/contract-a.service',
      ];
      assert.deepEqual(
        changes.map((change) => change.path).sort(),
        links.map((link) => `${UNIT_DIRECTORY}/${link}`),
      );
      assert.deepEqual(
        new Set(changes.map((change) => change.source)),
        new Set([`${UNIT_DIRECTORY}/contract-a.service`]),
      );
      for (const link of links) {
        assert.equal(readlinkSync(onDisk(world, link)), `${UNIT_DIRECTORY}/contract-a.service`);
      }
      assert.deepEqual(await manager.enable(['contract-a.service']), []);
      await manager.reload();
      assert.equal((await manager.findUnitFile('contract-a.service'))?.state, 'enabled');
      const removed = await manager.disable(['contract-a.service']);
      assert.deepEqual(
        removed.map((change) => change.path).sort(),
        links.map((link) => `${UNIT_DIRECTORY}/${link}`),
      );
      assert.deepEqual(await manager.disable(['contract-a.service']), []);
    },
  );

  run('reenable() takes away the links that the file does not ask for any more', async (world) => {
    const { manager } = world;
    const name = 'contract-r.service';
    const install = (targets: string): void => {
      write(world, { name, text: `${SERVICE}[Install]\nWantedBy=${targets}\n` });
    };
    install('multi-user.target contract-old.target');
    await manager.reload();
    await manager.enable([name]);
    install('multi-user.target contract-new.target');
    await manager.reenable([name]);
    await manager.reload();
    const link = (target: string): string => onDisk(world, `${target}.wants/${name}`);
    for (const target of ['multi-user.target', 'contract-new.target'])
      assert.equal(readlinkSync(link(target)), `${UNIT_DIRECTORY}/${name}`);
    assert.ok(!existsSync(link('contract-old.target')));
    await manager.disable([name]);
  });

  run('enable() follows Also=, and leaves out what is not there', async (world) => {
    const { manager } = world;
    write(world, {
      name: 'contract-d.service',
      text: `${SERVICE}[Install]\nWantedBy=multi-user.target\nAlso=contract-d.socket contract-gone.socket\n`,
    });
    write(world, {
      name: 'contract-d.socket',
      text: '[Socket]\nListenStream=/run/contract-d\n[Install]\nWantedBy=sockets.target\n',
    });
    await manager.reload();
    const changes = await manager.enable(['contract-d.service']);
    assert.deepEqual(changes.map((change) => change.path).sort(), [
      `${UNIT_DIRECTORY}/multi-user.target.wants/contract-d.service`,
      `${UNIT_DIRECTORY}/sockets.target.wants/contract-d.socket`,
    ]);
    assert.equal((await manager.disable(['contract-d.service'])).length, 2);
  });

  run('enable() of a template and of its instances', async (world) => {
    const { manager } = world;
    write(world, {
      name: 'contract-t@.service',
      text: `${SERVICE}[Install]\nWantedBy=multi-user.target\nDefaultInstance=one\n`,
    });
    await manager.reload();
    const paths = [
      ...(await manager.enable(['contract-t@.service'])),
      ...(await manager.enable(['contract-t@two.service'])),
    ].map((change) => change.path);
    assert.deepEqual(paths, [
      `${UNIT_DIRECTORY}/multi-user.target.wants/contract-t@one.service`,
      `${UNIT_DIRECTORY}/multi-user.target.wants/contract-t@two.service`,
    ]);
    assert.equal((await manager.disable(['contract-t@.service'])).length, 2);
  });

  run('enable() refuses a masked unit and does not write through the link (F32)', async (world) => {
    symlinkSync('/dev/null', onDisk(world, 'contract-m.service'));
    await world.manager.reload();
    assert.equal((await world.manager.findUnitFile('contract-m.service'))?.state, 'masked');
    await assertFails('UNIT_MASKED', () => world.manager.enable(['contract-m.service']));
    await world.manager.disable(['contract-m.service']);
    assert.equal(readlinkSync(onDisk(world, 'contract-m.service')), '/dev/null');
    rmSync(onDisk(world, 'contract-m.service'));
  });

  run('enable() refuses a unit that is not there', async ({ manager }) => {
    await assertFails('SYSTEMD_CALL_FAILED', () => manager.enable(['contract-none.service']));
  });

  run('enable() refuses to replace a link that leads elsewhere', async (world) => {
    write(world, {
      name: 'contract-e.service',
      text: `${SERVICE}[Install]\nAlias=contract-f.service\n`,
    });
    symlinkSync(`${UNIT_DIRECTORY}/contract-other.service`, onDisk(world, 'contract-f.service'));
    write(world, { name: 'contract-other.service', text: SERVICE });
    await world.manager.reload();
    await assertFails('UNIT_EXISTS', () => world.manager.enable(['contract-e.service']));
    assert.equal(
      readlinkSync(onDisk(world, 'contract-f.service')),
      `${UNIT_DIRECTORY}/contract-other.service`,
    );
  });

  run('disable() of a unit that is not there is harmless', async ({ manager }) => {
    assert.deepEqual(await manager.disable(['contract-none.service']), []);
  });

  run('getSummaries() says of many what getStates() says of each', async (world) => {
    write(world, { name: 'contract-s.service', text: SERVICE });
    write(world, { name: 'contract-s@.service', text: SERVICE });
    symlinkSync('/dev/null', onDisk(world, 'contract-t.service'));
    await world.manager.reload();
    const units = [
      'contract-s.service',
      'contract-s@.service',
      'contract-t.service',
      'contract-none.service',
      ...Array.from({ length: 200 }, (_, index) => `contract-none-${index}.service`),
    ];
    for (const asked of [units, units.slice(0, 4)]) {
      const states = await world.manager.getStates(asked);
      assert.deepEqual(
        (await world.manager.getSummaries(() => asked)).map(summarize),
        states.map(summarize),
      );
    }
  });

  run('getStates() tells loaded, masked and missing units apart', async (world) => {
    write(world, { name: 'contract-g.service', text: SERVICE });
    symlinkSync('/dev/null', onDisk(world, 'contract-h.service'));
    await world.manager.reload();
    const states = await world.manager.getStates([
      'contract-g.service',
      'contract-h.service',
      'contract-none.service',
    ]);
    assert.deepEqual(
      states.map(({ unit, loadState, activeState, unitFileState, mainPid }) => ({
        unit,
        loadState,
        activeState,
        unitFileState,
        mainPid,
      })),
      [
        {
          unit: 'contract-g.service',
          loadState: 'loaded',
          activeState: 'inactive',
          unitFileState: 'static',
          mainPid: undefined,
        },
        {
          unit: 'contract-h.service',
          loadState: 'masked',
          activeState: 'inactive',
          unitFileState: 'masked',
          mainPid: undefined,
        },
        {
          unit: 'contract-none.service',
          loadState: 'not-found',
          activeState: 'inactive',
          unitFileState: '',
          mainPid: undefined,
        },
      ],
    );
  });

  run('createTmpfiles() makes what the file asks for', async (world) => {
    const file = '/etc/tmpfiles.d/contract.conf';
    mkdirSync(`${world.root}/etc/tmpfiles.d`, { recursive: true });
    writeFileSync(`${world.root}${file}`, 'f /var/lib/contract/made 0640 - - - text\n');
    await world.manager.createTmpfiles(file);
    assert.equal(readFileSync(`${world.root}/var/lib/contract/made`, 'utf8'), 'text');
  });

  run('resetFailed() of a unit that never ran is harmless', async ({ manager }) => {
    await manager.resetFailed('contract-none.service');
  });

  run('findSystemdVersion() gives that of the host or tree', async ({ manager }) => {
    const version = await manager.findSystemdVersion();
    assert.ok(version !== undefined && version >= 252);
  });
}

function summarize(state: UnitSummary): UnitSummary {
  const { unit, activeState, unitFileState } = state;
  return { unit, activeState, unitFileState };
}

function write(
  world: UnitWorld,
  unit: { readonly name: string; readonly text: string; readonly directory?: string },
): void {
  const directory = `${world.root}${unit.directory ?? UNIT_DIRECTORY}`;
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/${unit.name}`, unit.text);
}

function onDisk(world: UnitWorld, link: string): string {
  return `${world.root}${UNIT_DIRECTORY}/${link}`;
}
