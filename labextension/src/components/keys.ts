import type * as React from 'react';

import type { BrowserModel } from '../browser-model';
import type { PreviewModel } from '../preview-model';

/** Pauses longer than this begin a new word. */
const TYPING_PAUSE = 1000;

let typed = '';
let typedAt = 0;
let typedIn = '';

/**
 * Moving and selecting by keyboard; actions on files are shortcuts of commands, also the space and
 * the slash, which no name has.
 */
export function onGridKey(
  event: React.KeyboardEvent,
  browser: BrowserModel,
  preview: PreviewModel,
  page: number
): void {
  const row = (event.target as Element).closest('.jp-Storage-rows');
  if (!row || event.altKey) {
    return;
  }
  const how = event.shiftKey ? 'extend' : event.ctrlKey || event.metaKey ? 'keep' : 'select';
  const moves: Record<string, number> = {
    ArrowDown: browser.active + 1,
    ArrowUp: browser.active - 1,
    PageDown: browser.active + page,
    PageUp: browser.active - page,
    Home: 0,
    End: browser.entries.length - 1
  };
  if (event.key in moves) {
    const nothing = browser.selected.length === 0 && how === 'select';
    // The first key press shows where the focus is, before it moves on.
    const stay = nothing && (event.key === 'ArrowDown' || event.key === 'ArrowUp');
    browser.focus(stay ? browser.active : moves[event.key], how);
  } else if (event.key === ' ' && how !== 'select') {
    browser.toggle(browser.active);
  } else if (event.key === 'Escape') {
    if (!preview.close()) {
      browser.clearSelection();
    }
  } else if (
    event.key.length === 1 &&
    !' /'.includes(event.key) &&
    !event.ctrlKey &&
    !event.metaKey
  ) {
    type(event.key, event.timeStamp, browser);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

/** A space in the middle of a name that is being typed is part of it. */
export function typeSpace(browser: BrowserModel): boolean {
  const now = performance.now();
  const typing = typed !== '' && now - typedAt < TYPING_PAUSE;
  if (typing) {
    type(' ', now, browser);
  }
  return typing;
}

/** Arrow keys, Home and End move among the buttons of a list. */
export function onListKey(event: React.KeyboardEvent<HTMLElement>): void {
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>('button, summary')].filter(
    // Those in a group that is closed cannot be reached.
    button => button.offsetParent !== null
  );
  const at = buttons.indexOf(event.target as HTMLElement);
  const moves: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: buttons.length - 1
  };
  if (at >= 0 && event.key in moves && buttons[moves[event.key]]) {
    buttons[moves[event.key]].focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

function type(character: string, now: number, browser: BrowserModel): void {
  const fresh = now - typedAt > TYPING_PAUSE || typedIn !== browser.path;
  typedAt = now;
  typedIn = browser.path;
  // The same letter again goes round among the names that begin with it.
  typed = fresh || (typed.length === 1 && typed === character) ? character : typed + character;
  browser.typeAhead(typed);
}
