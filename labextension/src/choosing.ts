import { type IDropped, readInput } from './dnd';

/** Let the person choose files, or a folder. Resolves with nothing where they give up. */
export function choose(what: 'file' | 'files' | 'folder'): Promise<IDropped[]> {
  return new Promise(resolve => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = what !== 'file';
    input.webkitdirectory = what === 'folder';
    // In the page until there is an answer: what nothing holds, a browser may collect unanswered.
    input.hidden = true;
    document.body.append(input);
    const answer = (files: IDropped[]) => {
      input.remove();
      resolve(files);
    };
    input.addEventListener('change', () => answer(readInput(input.files!)));
    input.addEventListener('cancel', () => answer([]));
    input.click();
  });
}
