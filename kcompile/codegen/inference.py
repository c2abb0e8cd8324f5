"""Numba's type inference, in one pass where one is enough.

Numba resolves every expression again until no type changes, so at least twice, and takes up warnings and the
context of an error around each. In a kernel's text a variable has its type before it is read, unless a loop
changes it (a counter that begins as a literal): only then a second pass can find anything new. What fails is
left to Numba, for the sake of its messages.
"""

from __future__ import annotations

from typing import Any

from numba.core import errors, typeinfer, utils


class _Inferer(typeinfer.TypeInferer):
    """Remembers whether a variable that had a type got another one."""

    constraints: Any
    is_changed = False

    def propagate(self, raise_errors: bool = True) -> Any:
        try:
            self.is_changed = False
            for constraint in self.constraints.constraints:
                _RESOLVE.get(type(constraint), _by_numba)(constraint, self)
        except errors.NumbaError:
            self.is_changed = True  # Numba finds the same, and says where
        return super().propagate(raise_errors) if self.is_changed else None

    def add_type(self, var: str, tp: Any, loc: Any, unless_locked: bool = False) -> None:
        before = self.typevars[var].type
        super().add_type(var, tp, loc, unless_locked)
        self.note(before, self.typevars[var].type)

    def note(self, before: Any, after: Any) -> None:
        if before is not None and before is not after and before != after:
            self.is_changed = True


def _by_numba(constraint: Any, inferer: _Inferer) -> None:
    constraint(inferer)


def _assignment(constraint: Any, inferer: _Inferer) -> None:
    variable = inferer.typevars[constraint.dst]
    before = variable.type
    variable.union(inferer.typevars[constraint.src], loc=constraint.loc)
    inferer.note(before, variable.type)
    inferer.refine_map[constraint.dst] = constraint


def _call(constraint: Any, inferer: _Inferer) -> None:
    constraint.resolve(inferer, inferer.typevars, inferer.typevars[constraint.func].getone())


def _operator(constraint: Any, inferer: _Inferer) -> None:
    function = constraint.func
    if function in utils.OPERATORS_TO_BUILTINS:
        function = inferer.resolve_value_type(None, function)
    constraint.resolve(inferer, inferer.typevars, function)


# Numba's constraints without the context of errors.
_RESOLVE: dict[type, Any] = {
    typeinfer.Propagate: _assignment,
    typeinfer.CallConstraint: _call,
    typeinfer.IntrinsicCallConstraint: _operator,
}


def infer_types(state: Any) -> None:
    """Set the types of a kernel's variables and calls; what it is called with and returns is in `state`.

    Raises: Numba's errors, which show the generated line.
    """
    warnings = errors.WarningsFixer(errors.NumbaWarning)  # type: ignore[attr-defined]
    inferer = _Inferer(state.typingctx, state.func_ir, warnings)
    stack = state.typingctx.callstack  # intrinsics look there for the target
    with stack.register(state.targetctx.target, inferer, state.func_id, state.args):
        for index, (name, kind) in enumerate(zip(state.func_ir.arg_names, state.args, strict=True)):
            inferer.seed_argument(name, index, kind)
        inferer.seed_return(state.return_type)
        inferer.build_constraint()
        inferer.propagate()
        state.typemap, state.return_type, state.calltypes = inferer.unify()
