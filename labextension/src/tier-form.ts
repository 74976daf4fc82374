import { parsePath } from './paths';
import type { ITier, ITierRequest } from './records';

export type CredentialKind = 'machine' | 'profile' | 'environment' | 'file' | 'anonymous';

/** What the form for a bucket holds. */
export interface IFormValues {
  name: string;
  uri: string;
  endpoint: string;
  region: string;
  kind: CredentialKind;
  profile: string;
  keyVariable: string;
  secretVariable: string;
  file: string;
}

export const EMPTY: IFormValues = {
  name: '',
  uri: '',
  endpoint: '',
  region: '',
  kind: 'machine',
  profile: '',
  keyVariable: '',
  secretVariable: '',
  file: ''
};

/** What the server is asked for. */
export function requestOf(values: IFormValues): ITierRequest {
  const options: ITierRequest['options'] = {};
  if (values.endpoint.trim()) {
    options.endpoint_url = values.endpoint.trim();
  }
  if (values.region.trim()) {
    options.region = values.region.trim();
  }
  switch (values.kind) {
    case 'profile':
      options.profile = values.profile.trim();
      break;
    case 'environment':
      options.access_key_env = values.keyVariable.trim();
      options.secret_key_env = values.secretVariable.trim();
      break;
    case 'file':
      options.credentials_file = values.file.trim();
      break;
    case 'anonymous':
      options.anonymous = true;
      break;
  }
  return { uri: values.uri.trim(), options };
}

/** What the form shows of a tier that was added. */
export function valuesOf(tier: ITier): IFormValues {
  const options = tier.options ?? {};
  const kind: CredentialKind = options.anonymous
    ? 'anonymous'
    : options.profile
      ? 'profile'
      : options.access_key_env
        ? 'environment'
        : options.credentials_file
          ? 'file'
          : 'machine';
  return {
    name: tier.name,
    uri: tier.uri,
    endpoint: options.endpoint_url ?? '',
    region: options.region ?? '',
    kind,
    profile: options.profile ?? '',
    keyVariable: options.access_key_env ?? '',
    secretVariable: options.secret_key_env ?? '',
    file: options.credentials_file ?? ''
  };
}

/** A name for a tier, from its bucket, that no other tier has. */
export function nameFor(uri: string, taken: readonly string[]): string {
  const bucket = /^[A-Za-z0-9+.-]+:\/\/([^/]*)/.exec(uri.trim())?.[1] ?? '';
  const base = bucket.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[^A-Za-z]+/, '') || 'data';
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.includes(name)) {
      return name;
    }
  }
}

/** The directory on the server's machine behind a path on a tier; null for object storage. */
export function directoryOf(path: string, tiers: readonly ITier[]): string | null {
  const { tier, key } = parsePath(path);
  const root = tiers.find(other => other.name === tier)?.path;
  return root ? (key ? `${root}/${key}` : root) : null;
}
