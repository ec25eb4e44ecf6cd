import { escapeText, quote } from '../base/escape-text.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RegistryEndpoint } from './endpoint.js';
import { HttpFailure, type HttpFailureKind } from './http-failure.js';

const CODES: Readonly<Record<HttpFailureKind, ErrorCode>> = {
  refused: 'REGISTRY_UNREACHABLE',
  name: 'REGISTRY_UNREACHABLE',
  'name-temporary': 'REGISTRY_UNREACHABLE',
  timeout: 'REGISTRY_UNREACHABLE',
  'not-tls': 'REGISTRY_TLS',
  certificate: 'REGISTRY_TLS',
  closed: 'REGISTRY_TEMPORARY',
  proxy: 'REGISTRY_UNREACHABLE',
  protocol: 'REGISTRY_PROTOCOL',
  address: 'REGISTRY_REDIRECT',
};

/** What failed, for which image, at which registry: an {@link HttpFailure} becomes an error that a user can meet. */
export function toUserError(
  error: unknown,
  asked: { readonly endpoint: RegistryEndpoint; readonly doing: string },
): unknown {
  if (!(error instanceof HttpFailure)) return error;
  const { endpoint, doing } = asked;
  return new OperationalError(
    CODES[error.kind],
    `${doing} from ${quote(endpoint.registry)}: ${escapeText(error.message)}`,
    // No cause: it would say the same in the system's names.
    { hint: hintFor(error.kind, endpoint) },
  );
}

function hintFor(
  kind: HttpFailureKind,
  { registry, repository }: RegistryEndpoint,
): string | undefined {
  switch (kind) {
    case 'certificate':
      return `if the registry has an authority of its own, put its certificate into /etc/containers/certs.d/${registry}/ca.crt`;
    case 'not-tls':
      return `if the registry is meant to be reached in the clear, name the image http:${registry}/${repository} or set insecure = true in /etc/containers/registries.conf`;
    case 'name':
      return 'check the name of the registry, and that this host has a name server';
    default:
      return undefined;
  }
}
