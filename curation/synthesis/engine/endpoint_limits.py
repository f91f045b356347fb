"""One rate control an endpoint for the whole process, whoever asks it.

control = control_of(teacher)         # the same object for every teacher at that address with that model
"""

import threading
import weakref

from curation.chat_model import ChatModel
from curation.synthesis.engine.attempt import AsyncChatModel
from curation.synthesis.engine.rate_control import RateControl

_lock = threading.Lock()
_by_endpoint: "weakref.WeakValueDictionary[tuple[str, str, str], RateControl]" = weakref.WeakValueDictionary()
_by_teacher: "weakref.WeakKeyDictionary[ChatModel, RateControl]" = weakref.WeakKeyDictionary()


def control_of(teacher: ChatModel) -> RateControl:
    """Return the control of a teacher's endpoint and model; it lives as long as any teacher that uses it.

    Rules and recorded replies have no limits: they get one that lets everything through until they refuse.
    """
    if not isinstance(teacher, AsyncChatModel):
        return RateControl(is_ramped=False)
    name = (teacher.provider, teacher.endpoint, teacher.model)
    with _lock:
        control = _by_teacher.get(teacher) or _by_endpoint.get(name)
        if control is None:
            control = RateControl()
            requests, tokens = getattr(teacher, "limits_per_minute", (None, None))
            control.declare(requests_per_minute=requests, tokens_per_minute=tokens)
        _by_endpoint[name] = _by_teacher[teacher] = control
        return control
