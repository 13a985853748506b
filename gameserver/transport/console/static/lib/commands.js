// The changes that a dialog sends, each under a command id.
//
// Law: a change keeps its id until it is known how it ended, so sending the same again after a lost answer changes nothing
// twice. A refusal is an end: it is recorded under the id, and what is sent after it is another command.

import { ask, newCommandId } from './api.js';

const NOT_OF_THE_COMMAND = [401, 403, 429]; // these refuse whoever asks: an earlier copy may have been carried out

const textOf = ({ method, path, query, body }) => JSON.stringify([method, path, query, body]);

export class Commands {
  #sent = new Map(); // what was sent under which id, and whether it may have happened

  // The answer to {method, path, query, body}. Throws what `ask` does.
  async send(request) {
    const text = textOf(request);
    const own = this.#sent.get(text) ?? { id: newCommandId(), isOpen: false };
    this.#sent.set(text, own);
    const { method, path, query, body } = request;
    try {
      return await ask(method, path, { query, body, commandId: own.id });
    } catch (error) {
      if (isRefusal(error, own.isOpen)) this.#sent.delete(text);
      else own.isOpen ||= error.status !== 429;
      throw error;
    }
  }

  // Whether this was sent, and it isn't known how it ended.
  isOpen(request) {
    return this.#sent.get(textOf(request))?.isOpen ?? false;
  }
}

// `isOpen`: whether the command may have been carried out before.
function isRefusal({ status, code }, isOpen) {
  if (!(status >= 400 && status < 500) || status === 429) return false;
  return !isOpen || !(NOT_OF_THE_COMMAND.includes(status) || code === 'command_expired');
}
