import { formatRepository } from '../oci/reference.js';
import { parseImageName } from '../transport/parse-image-name.js';

/**
 * The image of another name beside an image: in the same registry and namespace (`registry.example/infra/app:2` and `etcd`
 * give `registry.example/infra/etcd`), in the same layout, or in the layout beside it. Tag and digest are the other's own.
 *
 * @throws OperationalError REFERENCE_INVALID, TRANSPORT_UNKNOWN if `reference` is none
 */
export function siblingReference(reference: string, name: string): string {
  const parsed = parseImageName(reference, '/');
  if (parsed.kind === 'oci' && parsed.imageName !== undefined) {
    const layout = reference.slice(0, -parsed.imageName.length);
    return `${layout}${parsed.imageName.replace(/[^/]*$/, '')}${name}`;
  }
  if (parsed.kind === 'ostree') {
    const { reference: image, repository } = parsed;
    const beside = formatRepository(image).replace(/[^/]*$/, '');
    return `ostree:${beside}${name}${repository === undefined ? '' : `@${repository}`}`;
  }
  const named = reference.replace(/@[^@/]*$/, '').replace(/\/+$/, '');
  const slash = named.lastIndexOf('/');
  if (slash !== -1) return `${named.slice(0, slash + 1)}${name}`;
  const transport = /^(?:docker|oci|http|https):/.exec(named)?.[0] ?? '';
  return `${transport}${name}`;
}
