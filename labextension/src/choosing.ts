import { type IDropped, readInput } from './dnd';

/** Let the person choose files, or a folder. Resolves with nothing where they give up. */
export function choose(what: 'file' | 'files' | 'folder'): Promise<IDropped[]> {
  return new Promise(resolve => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = what !== 'file';
    input.webkitdirectory = what === 'folder';
    input.addEventListener('change', () => resolve(readInput(input.files!)));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}
