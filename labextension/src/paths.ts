/**
 * Paths as people type them: `tier:relative/path`. What lies in the server's root directory, which
 * is on no tier, is `./relative/path`.
 */

import type { ITier } from './records';

/** A path taken apart. */
export interface IPlace {
  tier: string;
  /** Without slashes around it; empty for the tier's root. */
  key: string;
}

/** Take `shared:a/b` apart at its first colon. */
export function parsePath(path: string): IPlace {
  const colon = path.indexOf(':');
  if (colon < 0) {
    throw new Error(`This is no path of a tier: ${path}`);
  }
  return { tier: path.slice(0, colon), key: trimSlashes(path.slice(colon + 1)) };
}

/** Put a tier and a key together. */
export function formatPath(tier: string, key: string): string {
  return `${tier}:${trimSlashes(key)}`;
}

/** Join keys; empty ones leave no trace. */
export function joinKeys(...keys: string[]): string {
  return keys.map(trimSlashes).filter(Boolean).join('/');
}

/** Key of the directory that holds this one. */
export function parentKey(key: string): string {
  const clean = trimSlashes(key);
  return clean.includes('/') ? clean.slice(0, clean.lastIndexOf('/')) : '';
}

/** Last part of a key. */
export function baseName(key: string): string {
  const clean = trimSlashes(key);
  return clean.slice(clean.lastIndexOf('/') + 1);
}

/** Whether a path lies on a tier: it is neither a URI nor a local path. */
export function isOnTier(path: string): boolean {
  return /^[A-Za-z][\w-]*:(?!\/\/)/.test(path);
}

/** A path of JupyterLab's contents, where tiers are drives, as transfers take it. */
export function fromContents(path: string): string {
  // With real-time collaboration the files of the root directory have a drive as well.
  const local = path.replace(/^RTC:/, '');
  return isOnTier(local) ? local : `./${trimSlashes(local)}`;
}

/** Last part of a path; the path itself for a root. */
export function nameOf(path: string): string {
  return baseName(isOnTier(path) ? parsePath(path).key : path) || path;
}

/** Path of the directory that holds this one. */
export function directoryOf(path: string): string {
  if (isOnTier(path)) {
    const { tier, key } = parsePath(path);
    return formatPath(tier, parentKey(key));
  }
  return './' + parentKey(path.slice(2));
}

/**
 * Where other programs find it: the local path of a tier that is a directory, else the URI.
 * With `uri`, a URI in any case.
 */
export function addressOf(path: string, tiers: readonly ITier[], as: 'uri' | 'path'): string {
  const { tier: name, key } = parsePath(path);
  const tier = tiers.find(other => other.name === name);
  if (!tier) {
    return path;
  }
  if (as === 'path' && tier.path !== null) {
    return [tier.path.replace(/\/+$/, ''), key].filter(Boolean).join('/');
  }
  const root = tier.uri.replace(/\/+$/, '');
  // The path of a URI of a file is percent-encoded; the key of an object stands as it is.
  return [root, root.startsWith('file:') ? encodeKey(key) : key].filter(Boolean).join('/');
}

/**
 * The path on a tier of whatever a person types: `tier:a/b`, the address or the local path of
 * something on a tier, or a name in `here`. Null where no tier has it.
 */
export function typedPath(text: string, here: string, tiers: readonly ITier[]): string | null {
  const typed = text.trim();
  const colon = typed.indexOf(':');
  const tier = tiers.find(other => other.name === typed.slice(0, Math.max(0, colon)));
  if (tier && !typed.startsWith(`${tier.name}://`)) {
    return formatPath(tier.name, cleanKey(typed.slice(colon + 1)));
  }
  const roots = tiers.flatMap(({ name, uri, path }) => [
    { name, root: uri, decode: uri.startsWith('file:') },
    ...(path === null ? [] : [{ name, root: path, decode: false }])
  ]);
  // The longest one is the tier that lies in another.
  roots.sort((a, b) => b.root.length - a.root.length);
  for (const { name, root, decode } of roots) {
    const start = root.replace(/\/+$/, '');
    if (typed === start || typed.startsWith(`${start}/`)) {
      const rest = typed.slice(start.length);
      return formatPath(name, cleanKey(decode ? decoded(rest) : rest));
    }
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(typed) || typed.startsWith('/') || typed.startsWith('~')) {
    return null;
  }
  const { tier: name, key } = parsePath(here);
  return formatPath(name, cleanKey(`${key}/${typed}`));
}

/** Percent-encode a key once, part by part. */
export function encodeKey(key: string): string {
  return trimSlashes(key).split('/').map(encodeURIComponent).join('/');
}

/** The folder that holds `path`, as it is called from a folder above; empty for that one itself. */
export function folderBelow(path: string, above: string): string {
  const key = parentKey(parsePath(path).key);
  return trimSlashes(key.slice(parsePath(above).key.length));
}

/** Whether `path` is `directory` or lies in it, by whole parts. */
export function isBelow(path: string, directory: string): boolean {
  if (!isOnTier(path) || !isOnTier(directory)) {
    return (path + '/').startsWith(directory.replace(/\/*$/, '/'));
  }
  const a = parsePath(path);
  const b = parsePath(directory);
  return a.tier === b.tier && (b.key === '' || a.key === b.key || a.key.startsWith(b.key + '/'));
}

/** Why a name cannot be given to a file or folder; null where it can. */
export function nameProblem(name: string): 'empty' | 'slash' | 'dots' | null {
  if (!name.trim()) {
    return 'empty';
  }
  if (name.includes('/') || name.includes('\0')) {
    return 'slash';
  }
  return name === '.' || name === '..' ? 'dots' : null;
}

/** The n-th variant of a name: `a.txt`, `a-1.txt`, `a-2.txt`; a leading dot is no extension. */
export function numberedName(name: string, n: number): string {
  if (n === 0) {
    return name;
  }
  const dot = name.lastIndexOf('.');
  return dot > 0 ? `${name.slice(0, dot)}-${n}${name.slice(dot)}` : `${name}-${n}`;
}

/** Without empty parts and `.`; `..` goes up, and not out of the tier. */
function cleanKey(key: string): string {
  const parts: string[] = [];
  for (const part of key.split('/')) {
    if (part === '..') {
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  return parts.join('/');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function trimSlashes(key: string): string {
  return key.replace(/^\/+|\/+$/g, '');
}
