; The walk of rows through trees, as LLVM reads it: `leeway.fast.walk` says what it takes.
;
; NUMBER is the type of leaves and sums, float or double. A block of trees is walked at once: `at`
; has the node at which each of its walks is, tree by tree, row by row. All go one level down before
; any goes two, so that the processor waits for the memory of many walks together.

%node = type { double, i32, i32 }  ; limit, 2 * feature + whether gaps go left, next

define void @walk(ptr %nodes, ptr %roots, ptr %leaves, ptr %features, ptr %sums,
                  ptr %twice, ptr %at, i64 %trees, i64 %rows, i64 %width, i64 %depth,
                  i64 %values, i64 %in_turn, i64 %block, i1 %single) {
  %outputs = mul i64 %values, %in_turn
  %stride = mul i64 %width, 2
  %size = mul i64 %rows, %width
  %stride.32 = trunc i64 %stride to i32
  %last = sub i32 %stride.32, 1
  br label %doubling

doubling:                                            ; a gap is above all limits, and below all
  %d = phi i64 [0, %0], [%d.next, %doubling]
  %given.ptr = getelementptr double, ptr %features, i64 %d
  %given = load double, ptr %given.ptr
  %given.32 = fptrunc double %given to float
  %rounded = fpext float %given.32 to double
  %feature.value = select i1 %single, double %rounded, double %given
  %gap = fcmp uno double %feature.value, 0.0
  %high = select i1 %gap, double 0x7FF0000000000000, double %feature.value
  %low = select i1 %gap, double 0xFFF0000000000000, double %feature.value
  %d.twice = mul i64 %d, 2
  %high.ptr = getelementptr double, ptr %twice, i64 %d.twice
  %low.ptr = getelementptr double, ptr %high.ptr, i64 1
  store double %high, ptr %high.ptr
  store double %low, ptr %low.ptr
  %d.next = add i64 %d, 1
  %d.more = icmp slt i64 %d.next, %size
  br i1 %d.more, label %doubling, label %blocks

blocks:                                              ; for each block of trees
  %first = phi i64 [0, %doubling], [%end, %added]
  %done = icmp sge i64 %first, %trees
  br i1 %done, label %finished, label %begin
begin:
  %wished = add i64 %first, %block
  %whole = icmp slt i64 %wished, %trees
  %end = select i1 %whole, i64 %wished, i64 %trees
  br label %roots.trees

roots.trees:                                         ; every walk begins at the root of its tree
  %r.tree = phi i64 [%first, %begin], [%r.tree.next, %roots.row.end]
  %r.walk = phi i64 [0, %begin], [%r.walk.next, %roots.row.end]
  %root.ptr = getelementptr i32, ptr %roots, i64 %r.tree
  %root = load i32, ptr %root.ptr
  %r.walk.next = add i64 %r.walk, %rows
  br label %roots.row
roots.row:
  %r.place = phi i64 [%r.walk, %roots.trees], [%r.place.next, %roots.row]
  %r.at = getelementptr i32, ptr %at, i64 %r.place
  store i32 %root, ptr %r.at
  %r.place.next = add i64 %r.place, 1
  %r.row.more = icmp slt i64 %r.place.next, %r.walk.next
  br i1 %r.row.more, label %roots.row, label %roots.row.end
roots.row.end:
  %r.tree.next = add i64 %r.tree, 1
  %r.more = icmp slt i64 %r.tree.next, %end
  br i1 %r.more, label %roots.trees, label %steps

steps:                                               ; as many steps as the deepest tree has
  %step = phi i64 [0, %roots.row.end], [%step.next, %step.end]
  %deepest = icmp sge i64 %step, %depth
  br i1 %deepest, label %sum.trees, label %step.trees
step.trees:
  %s.tree = phi i64 [%first, %steps], [%s.tree.next, %step.row.end]
  %s.walk = phi i64 [0, %steps], [%s.walk.next, %step.row.end]
  br label %step.row
step.row:
  %row = phi i64 [0, %step.trees], [%row.next, %step.row]
  %place = add i64 %s.walk, %row
  %here.ptr = getelementptr i32, ptr %at, i64 %place
  %here = load i32, ptr %here.ptr
  %here.64 = zext i32 %here to i64
  %limit.ptr = getelementptr %node, ptr %nodes, i64 %here.64, i32 0
  %feature.ptr = getelementptr %node, ptr %nodes, i64 %here.64, i32 1
  %next.ptr = getelementptr %node, ptr %nodes, i64 %here.64, i32 2
  %limit = load double, ptr %limit.ptr
  %feature = load i32, ptr %feature.ptr
  %next = load i32, ptr %next.ptr
  %inside = icmp ult i32 %feature, %last             ; a leaf names its place in `leaves` there,
  %known = select i1 %inside, i32 %feature, i32 %last ; and no value is above its limit
  %known.64 = zext i32 %known to i64
  %row.first = mul i64 %row, %stride
  %value.place = add i64 %row.first, %known.64
  %value.ptr = getelementptr double, ptr %twice, i64 %value.place
  %value = load double, ptr %value.ptr
  %right = fcmp ogt double %value, %limit
  %right.32 = zext i1 %right to i32
  %there = add i32 %next, %right.32
  store i32 %there, ptr %here.ptr
  %row.next = add i64 %row, 1
  %row.more = icmp slt i64 %row.next, %rows
  br i1 %row.more, label %step.row, label %step.row.end
step.row.end:
  %s.walk.next = add i64 %s.walk, %rows
  %s.tree.next = add i64 %s.tree, 1
  %s.more = icmp slt i64 %s.tree.next, %end
  br i1 %s.more, label %step.trees, label %step.end
step.end:
  %step.next = add i64 %step, 1
  br label %steps

sum.trees:                                           ; in the order of the trees: others round otherwise
  %l.tree = phi i64 [%first, %steps], [%l.tree.next, %sum.row.end]
  %l.walk = phi i64 [0, %steps], [%l.walk.next, %sum.row.end]
  %turn = urem i64 %l.tree, %in_turn
  %turn.first = mul i64 %turn, %values
  br label %sum.row
sum.row:
  %l.row = phi i64 [0, %sum.trees], [%l.row.next, %sum.value.end]
  %l.place = add i64 %l.walk, %l.row
  %l.at = getelementptr i32, ptr %at, i64 %l.place
  %ended = load i32, ptr %l.at
  %ended.64 = zext i32 %ended to i64
  %leaf.ptr = getelementptr %node, ptr %nodes, i64 %ended.64, i32 1
  %leaf = load i32, ptr %leaf.ptr
  %leaf.64 = zext i32 %leaf to i64
  %leaf.first = mul i64 %leaf.64, %values
  %sums.row = mul i64 %l.row, %outputs
  %sums.first = add i64 %sums.row, %turn.first
  br label %sum.value
sum.value:
  %v = phi i64 [0, %sum.row], [%v.next, %sum.value]
  %addend.place = add i64 %leaf.first, %v
  %addend.ptr = getelementptr NUMBER, ptr %leaves, i64 %addend.place
  %addend = load NUMBER, ptr %addend.ptr
  %sum.place = add i64 %sums.first, %v
  %sum.ptr = getelementptr NUMBER, ptr %sums, i64 %sum.place
  %before = load NUMBER, ptr %sum.ptr
  %sum = fadd NUMBER %before, %addend
  store NUMBER %sum, ptr %sum.ptr
  %v.next = add i64 %v, 1
  %v.more = icmp slt i64 %v.next, %values
  br i1 %v.more, label %sum.value, label %sum.value.end
sum.value.end:
  %l.row.next = add i64 %l.row, 1
  %l.row.more = icmp slt i64 %l.row.next, %rows
  br i1 %l.row.more, label %sum.row, label %sum.row.end
sum.row.end:
  %l.walk.next = add i64 %l.walk, %rows
  %l.tree.next = add i64 %l.tree, 1
  %l.more = icmp slt i64 %l.tree.next, %end
  br i1 %l.more, label %sum.trees, label %added
added:
  br label %blocks

finished:
  ret void
}
