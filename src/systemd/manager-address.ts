/** Where the manager is on its bus. */
export const MANAGER = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const;

/** The path of a unit's object: bytes that such paths cannot have become `_NN` (sd_bus_path_encode(3)). */
export function unitObjectPath(unit: string): string {
  const label = [...Buffer.from(unit, 'utf8')]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      const allowed = index === 0 ? /[A-Za-z]/ : /[A-Za-z0-9]/;
      return allowed.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  return `${MANAGER.path}/unit/${label === '' ? '_' : label}`;
}
