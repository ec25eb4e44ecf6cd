import { readFirstBootPresets } from '../systemd/first-boot-presets.js';
import type { Host } from './host.js';

/** What a tree that is not running says of a unit. */
export interface OfflineState {
  /** As `systemctl --root is-enabled` says it; empty where there is no such unit. */
  readonly enabled: string;
  /**
   * Only where the first boot of the tree is still to come, and will find another verdict than the links: `enable` enables what is
   * disabled; `disable` disables what is enabled where systemd was built to do so (Fedora).
   */
  readonly preset: 'enable' | 'disable' | undefined;
}

/** What the tree of `--root` says of units, by name; nothing on a host that runs. */
export async function offlineStatesOf(
  host: Host,
  units: readonly string[],
): Promise<ReadonlyMap<string, OfflineState>> {
  const { root } = host.paths;
  if (root === '' || units.length === 0) return new Map();
  const manager = await host.openUnitManager();
  const presetOf = readFirstBootPresets(root);
  const states = await manager.getStates(units);
  return new Map(
    states.map(({ unit, unitFileState }) => {
      const preset = presetOf?.(unit);
      const differs =
        (preset === 'enable' && unitFileState === 'disabled') ||
        (preset === 'disable' && unitFileState === 'enabled');
      // Of a template the presets name instances, which are none of the unit's own.
      const shown = differs && !unit.includes('@.') ? preset : undefined;
      return [unit, { enabled: unitFileState, preset: shown }];
    }),
  );
}
