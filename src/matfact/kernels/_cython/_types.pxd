# The number types of ratings and factors. One call has one of them throughout.
ctypedef fused real:
    float
    double
