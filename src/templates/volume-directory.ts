import type { ContainerName } from '../base/container-name.js';

/** Where a volume of a container is kept. Different paths never share a place: `/` becomes `-`, `-` and `%` are escaped. */
export function volumeDirectory(
  stateDirectory: string,
  name: ContainerName,
  volume: string,
): string {
  const escaped = volume
    .replace(/^\/+|\/+$/g, '')
    .replace(/[-%]/g, (character) => (character === '-' ? '%2d' : '%25'))
    .replaceAll('/', '-');
  return `${stateDirectory}/${name}/${escaped === '' ? 'root' : escaped}`;
}
