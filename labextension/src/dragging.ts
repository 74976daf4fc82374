/** Dragging what lies on tiers: out of the panel's rows, and onto its folders. */

import { addressOf, directoryOf, parsePath } from './paths';
import type { ITier } from './records';

/** Paths as JSON. */
export const PATHS_MIME = 'application/x-jupyter-storage-paths';

/** While something is dragged, a page may see the types of the data but not the data. */
const TIER_MIME = 'application/x-jupyter-storage-tier.';

/** Fill a drag with paths; editors and terminals take them as text. */
export function setDragged(
  transfer: DataTransfer,
  paths: readonly string[],
  tiers: readonly ITier[]
): void {
  transfer.effectAllowed = 'copyMove';
  transfer.setData(PATHS_MIME, JSON.stringify(paths));
  transfer.setData(TIER_MIME + parsePath(paths[0]).tier, '');
  transfer.setData('text/plain', paths.map(path => addressOf(path, tiers, 'path')).join('\n'));
}

/** Whether rows of the panel are dragged. */
export function hasPaths(transfer: DataTransfer | null): transfer is DataTransfer {
  return !!transfer && Array.from(transfer.types).includes(PATHS_MIME);
}

/** The dragged paths, as far as they do not lie in the directory already; known at the drop only. */
export function draggedPaths(transfer: DataTransfer, directory: string): string[] {
  const paths = JSON.parse(transfer.getData(PATHS_MIME)) as string[];
  return paths.filter(path => directoryOf(path) !== directory && path !== directory);
}

/**
 * What a drop would do: on the same tier it moves, anywhere else it copies; with Ctrl (Alt on a
 * Mac) it copies, with Shift it moves.
 */
export function dropAction(event: DragEvent, directory: string): 'copy' | 'move' {
  if (event.ctrlKey || event.altKey) {
    return 'copy';
  }
  // Types come in lower case.
  const type = (TIER_MIME + directory.slice(0, directory.indexOf(':'))).toLowerCase();
  const same = Array.from(event.dataTransfer?.types ?? []).includes(type);
  return event.shiftKey || same ? 'move' : 'copy';
}
