// A form that waited for its owner to log in again is sent on. Without this file its button does the same.
"use strict";

for (const form of document.querySelectorAll("form[data-autosubmit]")) form.requestSubmit();
